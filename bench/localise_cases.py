"""Cases to localize: tables of leaves with causes put in, of six families that differ in numbers, noise and shape.

phones     harms of installs: 80 models (each with one of 12 chips) × 6 OS × 4 accelerators × 8 regions × 4 versions,
           with what was to be expected; phones-rate without it
ripple     a figure that adds up and its forecast: every leaf of a cause moves by the same share
scattered  the same, but each leaf of a cause drops by a share of its own (10 to 90 %), the forecast is 3.5 % too
           high and many leaves are empty, as of a content network
noisy      heavy tails, up to a quarter of the leaves empty, errors up to 25 %, causes that move leaves by 20 to 100 %
wide       one attribute has 400 values
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from feedback import leaves
from feedback.lattice import Values
from feedback.leaves import Leaves

Generator = np.random.Generator
Sizes = dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A table and the causes that were put in; `same[cause]` are rules that pick out the same leaves."""

    table: Leaves
    causes: tuple[Values, ...]


def grid(sizes: Sizes) -> dict[str, Any]:
    codes = np.indices(tuple(sizes.values())).reshape(len(sizes), -1)
    return {name: np.char.add(name, row.astype(str)) for name, row in zip(sizes, codes, strict=True)}


def masks(columns: dict[str, Any], causes: list[Values]) -> list[Any]:
    return [np.logical_and.reduce([columns[name] == value for name, value in cause]) for cause in causes]


def draw_causes(
    rng: Generator, columns: dict[str, Any], *, count: int, depths: tuple[int, ...] = (1, 2, 3), least: int = 4,
    told: Any = None, names: tuple[str, ...] | None = None, same_cuboid: float = 0.3,
) -> list[Values]:  # fmt: skip
    """Return causes none of which contains another and each of which has `least` leaves of its own that tell."""
    names = names or tuple(columns)
    rows = np.flatnonzero(told) if told is not None else np.arange(len(columns[names[0]]))
    found: list[Values] = []
    chosen: tuple[str, ...] = ()
    tries = 0
    while len(found) < count:
        tries += 1
        if tries % 50 == 0:  # what is there leaves no room for another
            found = []
        if not found or rng.random() > same_cuboid:
            depth = int(rng.choice([deep for deep in depths if deep <= len(names)]))
            chosen = tuple(sorted(rng.choice(names, depth, replace=False), key=list(columns).index))
        row = int(rng.choice(rows))
        cause = tuple((name, str(columns[name][row])) for name in chosen)
        mask = masks(columns, [cause])[0]
        mask = mask if told is None else mask & told
        others = masks(columns, found)
        if any(set(cause) <= set(old) or set(old) <= set(cause) for old in found):
            continue
        alone = mask & ~np.logical_or.reduce(others) if others else mask
        covered = np.logical_or.reduce([mask, *others])
        if covered.mean() <= 0.5 and alone.sum() >= least and all((other & ~mask).sum() >= least for other in others):
            found.append(cause)
    return found


def phones(rng: Generator, *, causes: int, rows: int = 10_000, against: str = "baseline") -> Case:
    chip_of = rng.permutation(np.concatenate([np.arange(12), rng.integers(0, 12, 68)]))
    popular = rng.dirichlet(np.full(80, 0.8))
    model = rng.choice(80, rows, p=popular)
    columns = {"model": model, "chip": chip_of[model]}
    for name, size in {"os": 6, "accelerator": 4, "region": 8, "version": 4}.items():
        columns[name] = rng.choice(size, rows, p=rng.dirichlet(np.full(size, 3.0)))
    words = {name: np.char.add(name, column.astype(str)) for name, column in columns.items()}
    exposures = 1.0 + rng.poisson(rng.gamma(1.0, 120.0, rows))
    usual = float(rng.uniform(0.004, 0.03)) * np.ones(rows)
    if against == "baseline":
        usual = usual * np.exp(rng.normal(0, 0.3, 12))[columns["chip"]] * np.exp(rng.normal(0, 0.2, 6))[columns["os"]]
    chance = usual.copy()
    drawn: list[Values] = []
    while len(drawn) < causes:
        cause = draw_causes(rng, words, count=1, least=1)[0]
        mask = masks(words, [cause])[0]
        ratio = float(rng.uniform(1.5, 6.0))
        excess = (usual * exposures)[mask].sum() * (ratio - 1)
        z = excess / np.sqrt((usual * exposures)[mask].sum() + 1e-9)
        kin = any(set(cause) <= set(old) or set(old) <= set(cause) for old in drawn)
        if not kin and z > 6 and excess >= 12:
            chance[mask] *= ratio
            drawn.append(cause)
    harms = rng.binomial(exposures.astype(int), np.minimum(chance, 0.9)).astype(float)
    expected = usual * exposures if against == "baseline" else None
    return Case(table=leaves.table(words, harms=harms, exposures=exposures, expected=expected), causes=tuple(drawn))


def ripple(rng: Generator, *, causes: int) -> Case:
    columns = grid({"a": 12, "b": 10, "c": 10, "d": 9})
    rows = len(columns["a"])
    predict = rng.lognormal(3, 1.3, rows)
    error = float(rng.uniform(0.005, 0.1))
    real = predict * np.maximum(0, 1 + rng.normal(0, error, rows))
    drawn = draw_causes(rng, columns, count=causes)
    for mask in masks(columns, drawn):
        shift = float(rng.uniform(max(0.15, 3 * error), 0.9)) * (1 if rng.random() < 0.3 else -1)
        real[mask] = (predict * np.maximum(0, 1 + shift + rng.normal(0, error, rows)))[mask]
    return Case(table=leaves.forecast_table(columns, real=real, predict=predict), causes=tuple(drawn))


def scattered(rng: Generator, *, causes: int) -> Case:
    columns = grid({"place": 33, "access": 4, "os": 4, "site": 20})
    rows = len(columns["place"])
    volume = [rng.lognormal(0, 1.5, size) for size in (33, 4, 4, 20)]
    codes = np.indices((33, 4, 4, 20)).reshape(4, -1)
    predict = np.prod([volume[k][codes[k]] for k in range(4)], axis=0) * rng.lognormal(0, 1, rows)
    predict *= rng.random(rows) > rng.uniform(0, 0.5)
    shift = rng.uniform(-0.02, 0.09, rows)
    drawn = draw_causes(rng, columns, count=causes, told=predict > 0, least=3)
    for mask in masks(columns, drawn):
        shift[mask] = rng.uniform(0.1, 0.9, int(mask.sum()))
    return Case(table=leaves.forecast_table(columns, real=predict * (1 - shift), predict=predict), causes=tuple(drawn))


def noisy(rng: Generator, *, causes: int, sizes: Sizes | None = None) -> Case:
    columns = grid(sizes or {"a": 10, "b": 12, "c": 10, "d": 8})
    rows = len(columns["a"])
    real = rng.weibull(rng.uniform(0.5, 1), rows) * 100 * (rng.random(rows) > rng.uniform(0, 0.25))
    error = float(rng.uniform(0, 0.25))
    predict = np.maximum(0, real * (1 + rng.normal(0, error, rows)))
    swap = rng.random(rows) < 0.5
    real, predict = np.where(swap, predict, real), np.where(swap, real, predict)
    drawn = draw_causes(rng, columns, count=causes, told=(real > 0) & (predict > 0))
    drop = real.sum() < predict.sum()
    for mask in masks(columns, drawn):
        severity, spread = rng.uniform(0.2, 1) + error, rng.uniform(0, 0.1)
        left = np.maximum(0, 1 - rng.normal(severity, spread, int(mask.sum())))
        if drop:
            real[mask] = predict[mask] * left
        else:
            predict[mask] = real[mask] * left
    return Case(table=leaves.forecast_table(columns, real=real, predict=predict), causes=tuple(drawn))


def wide(rng: Generator, *, causes: int) -> Case:
    return noisy(rng, causes=causes, sizes={"a": 400, "b": 4, "c": 3, "d": 3})


FAMILIES: dict[str, Callable[..., Case]] = {
    "phones": phones,
    "phones-rate": lambda rng, *, causes: phones(rng, causes=causes, against="rest"),
    "ripple": ripple,
    "scattered": scattered,
    "noisy": noisy,
    "wide": wide,
}

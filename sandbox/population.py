"""Who has which phone: a made-up market of chipsets, makers, systems and countries, with plausible shares. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chipset:
    """A chipset, how common it is (`weight`), and how fast the model runs on it by accelerator (median, ms)."""

    name: str
    weight: float
    tier: str
    phones: tuple[tuple[str, str], ...]
    ram_gb: tuple[float, ...]
    latency_ms: Mapping[str, float]
    accelerators: Mapping[str, float]
    platform: str = "android"


CHIPSETS: tuple[Chipset, ...] = (
    Chipset(
        name="Helio G35",
        weight=14,
        tier="low",
        phones=(("Xiaomi", "Redmi 10A"), ("realme", "C11"), ("Motorola", "Moto E20")),
        ram_gb=(2, 3, 4),
        latency_ms={"nnapi": 58, "cpu": 96},
        accelerators={"nnapi": 7, "cpu": 3},
    ),
    Chipset(
        name="Unisoc T606",
        weight=8,
        tier="low",
        phones=(("Samsung", "Galaxy A03"), ("Nokia", "G21")),
        ram_gb=(3, 4),
        latency_ms={"cpu": 88, "gpu": 71},
        accelerators={"cpu": 8, "gpu": 2},
    ),
    Chipset(
        name="Snapdragon 680",
        weight=11,
        tier="low",
        phones=(("Xiaomi", "Redmi Note 11"), ("OPPO", "A76")),
        ram_gb=(4, 6),
        latency_ms={"nnapi": 41, "gpu": 47, "cpu": 70},
        accelerators={"nnapi": 5, "gpu": 2, "cpu": 3},
    ),
    Chipset(
        name="Helio G99",
        weight=10,
        tier="mid",
        phones=(("Samsung", "Galaxy A14"), ("Xiaomi", "Redmi Note 12S")),
        ram_gb=(4, 6, 8),
        latency_ms={"nnapi": 33, "cpu": 52},
        accelerators={"nnapi": 6, "cpu": 4},
    ),
    Chipset(
        name="Snapdragon 695",
        weight=10,
        tier="mid",
        phones=(("Motorola", "Moto G82"), ("OnePlus", "Nord CE 2 Lite")),
        ram_gb=(6, 8),
        latency_ms={"nnapi": 27, "gpu": 31, "cpu": 45},
        accelerators={"nnapi": 6, "gpu": 2, "cpu": 2},
    ),
    Chipset(
        name="Exynos 1380",
        weight=7,
        tier="mid",
        phones=(("Samsung", "Galaxy A54"),),
        ram_gb=(6, 8),
        latency_ms={"nnapi": 25, "gpu": 28, "cpu": 41},
        accelerators={"nnapi": 6, "gpu": 3, "cpu": 1},
    ),
    Chipset(
        name="Dimensity 7050",
        weight=5,
        tier="mid",
        phones=(("realme", "11 Pro"), ("Infinix", "Zero 30")),
        ram_gb=(8,),
        latency_ms={"nnapi": 23, "cpu": 38},
        accelerators={"nnapi": 7, "cpu": 3},
    ),
    Chipset(
        name="Snapdragon 8 Gen 2",
        weight=8,
        tier="high",
        phones=(("Samsung", "Galaxy S23"), ("Xiaomi", "13")),
        ram_gb=(8, 12),
        latency_ms={"nnapi": 11, "gpu": 13, "cpu": 21},
        accelerators={"nnapi": 7, "gpu": 3},
    ),
    Chipset(
        name="Tensor G2",
        weight=5,
        tier="high",
        phones=(("Google", "Pixel 7"), ("Google", "Pixel 7a")),
        ram_gb=(8, 12),
        latency_ms={"nnapi": 12, "cpu": 24},
        accelerators={"nnapi": 9, "cpu": 1},
    ),
    Chipset(
        name="Dimensity 9200",
        weight=3,
        tier="high",
        phones=(("vivo", "X90"),),
        ram_gb=(8, 12),
        latency_ms={"nnapi": 11, "gpu": 12},
        accelerators={"nnapi": 8, "gpu": 2},
    ),
    Chipset(
        name="Kirin 9000",
        weight=0.6,
        tier="high",
        phones=(("HUAWEI", "Mate 40 Pro"),),
        ram_gb=(8,),
        latency_ms={"cpu": 25, "gpu": 17},
        accelerators={"cpu": 5, "gpu": 5},
    ),
    Chipset(
        name="A13 Bionic",
        weight=6,
        tier="mid",
        phones=(("Apple", "iPhone 11"), ("Apple", "iPhone SE 2")),
        ram_gb=(3, 4),
        latency_ms={"ane": 17, "cpu": 30},
        accelerators={"ane": 9, "cpu": 1},
        platform="ios",
    ),
    Chipset(
        name="A15 Bionic",
        weight=9,
        tier="high",
        phones=(("Apple", "iPhone 13"), ("Apple", "iPhone 14")),
        ram_gb=(4, 6),
        latency_ms={"ane": 10, "cpu": 20},
        accelerators={"ane": 9, "cpu": 1},
        platform="ios",
    ),
    Chipset(
        name="A17 Pro",
        weight=3.4,
        tier="high",
        phones=(("Apple", "iPhone 15 Pro"),),
        ram_gb=(8,),
        latency_ms={"ane": 7},
        accelerators={"ane": 1},
        platform="ios",
    ),
)
SYSTEMS: Mapping[str, Mapping[str, float]] = {
    "android": {"11": 2, "12": 3, "13": 4, "14": 3},
    "ios": {"16.7": 2, "17.6": 4, "18.1": 2},
}
COUNTRIES: Mapping[str, tuple[float, str]] = {
    "IN": (24, "hi-IN"),
    "BR": (14, "pt-BR"),
    "DE": (13, "de-DE"),
    "US": (13, "en-US"),
    "ID": (11, "id-ID"),
    "MX": (8, "es-MX"),
    "GB": (6, "en-GB"),
    "FR": (6, "fr-FR"),
    "JP": (4, "ja-JP"),
    "IS": (0.7, "is-IS"),
}
# Cheap phones are sold elsewhere than dear ones: cohorts of country and of chipset overlap, as they do in the field.
CHEAP = frozenset({"IN", "BR", "ID", "MX"})
APP_VERSIONS: Mapping[str, float] = {"5.4.1": 7, "5.4.0": 2, "5.3.2": 1}
RUNTIME = "onnxruntime-1.20"


@dataclass(frozen=True, slots=True, kw_only=True)
class Handset:
    """One phone as it was sold and is used; `context` is what it tells about itself."""

    chipset: Chipset
    context: Mapping[str, Any]

    @property
    def accelerator(self) -> str:
        return str(self.context["accelerator"])

    @property
    def latency_ms(self) -> float:
        return self.chipset.latency_ms[self.accelerator]


def draw(rng: np.random.Generator) -> Handset:
    """Return one phone of this market."""
    chipset = pick(rng, CHIPSETS, [each.weight for each in CHIPSETS])
    lean = {name: share * _lean(name, chipset.tier) for name, (share, _) in COUNTRIES.items()}
    country = pick(rng, list(lean), list(lean.values()))
    maker, device = pick(rng, chipset.phones)
    systems = SYSTEMS[chipset.platform]
    context = {
        "os.name": {"android": "Android", "ios": "iOS"}[chipset.platform],
        "os.version": pick(rng, list(systems), list(systems.values())),
        "device.manufacturer": maker,
        "device.model": device,
        "device.class": chipset.tier,
        "soc": chipset.name,
        "ram_gb": pick(rng, chipset.ram_gb),
        "locale": COUNTRIES[country][1],
        "geo.country": country,
        "app.version": pick(rng, list(APP_VERSIONS), list(APP_VERSIONS.values())),
        "runtime": RUNTIME,
        "accelerator": pick(rng, list(chipset.accelerators), list(chipset.accelerators.values())),
    }
    return Handset(chipset=chipset, context=context)


def pick(rng: np.random.Generator, of: Sequence[T], weights: Sequence[float] | None = None) -> T:
    """Return one of a sequence, each as likely as its weight."""
    if weights is None:
        return of[int(rng.integers(len(of)))]
    shares = np.cumsum(np.asarray(weights, dtype=float))
    return of[int(np.searchsorted(shares, rng.random() * shares[-1], side="right"))]


def _lean(country: str, tier: str) -> float:
    return {"low": 1.7, "mid": 1.0, "high": 0.5}[tier] if country in CHEAP else 1.0

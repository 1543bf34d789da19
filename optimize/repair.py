"""Which channels a layer can do without, and its weights without them: least squares on second moments. Pure.

Optimal brain surgeon (Hassibi and Stork 1993, NeurIPS 5), for groups of columns: with H = XᵀX/n and the weights W of
the layer, dropping the group g and refitting the rest adds tr(W_gᵀ (H⁻¹_gg)⁻¹ W_g) to the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
RIDGE: Final = 1e-2


@dataclass(slots=True, kw_only=True)
class Moments:
    """Sums over rows of the inputs X (columns, the last one constant 1) and of the wanted outputs Y."""

    xx: Matrix
    xy: Matrix
    yy: float
    rows: int

    @classmethod
    def empty(cls, columns: int, outputs: int) -> Moments:
        return cls(xx=np.zeros((columns + 1, columns + 1)), xy=np.zeros((columns + 1, outputs)), yy=0.0, rows=0)

    def add(self, x: npt.NDArray[Any], y: npt.NDArray[Any]) -> None:
        with_one = np.concatenate([x, np.ones((len(x), 1), x.dtype)], axis=1).astype(np.float64)
        wanted = y.astype(np.float64)
        self.xx += with_one.T @ with_one
        self.xy += with_one.T @ wanted
        self.yy += float((wanted**2).sum())
        self.rows += len(x)

    @property
    def variance(self) -> float:
        """Return the summed squares of Y around its mean."""
        mean = self.xy[-1] / max(self.rows, 1)
        return max(self.yy - self.rows * float((mean**2).sum()), 1e-12)


@dataclass(slots=True, kw_only=True)
class Layer:
    """One layer that reads the channels: `weight` (columns, outputs), each channel `width` columns in a row.

    `fit` are moments to fit by, `held_out` others to judge by; both with the inputs as they are *now* and the outputs
    as they were originally.
    """

    weight: Matrix
    bias: Matrix | None
    width: int
    fit: Moments
    held_out: Moments

    @property
    def channels(self) -> int:
        return len(self.weight) // self.width

    def columns(self, channels: Index) -> Index:
        return (channels[:, None] * self.width + np.arange(self.width)).ravel()


def elimination_order(layers: Sequence[Layer]) -> Index:
    """Return the channels, the most dispensable first, judged by all layers that read them."""
    states = [_Elimination(layer) for layer in layers]
    left = np.arange(layers[0].channels)
    order: list[int] = []
    while len(left) > 1:
        scores = np.sum([state.scores() for state in states], axis=0)
        batch = max(1, len(left) // 32)
        places = np.argsort(scores, kind="stable")[:batch]
        order += left[places].tolist()
        for state in states:
            state.drop(places)
        left = np.delete(left, places)
    return np.array([*order, *left.tolist()])


def refit(layer: Layer, channels: Index) -> tuple[Matrix, Matrix | None]:
    """Return weights and bias that come nearest to the original output by the kept channels alone.

    Ridge regression that shrinks toward the weights as they are, so that few rows do no harm.
    """
    columns = layer.columns(channels)
    xx, xy, ridge = _centered(layer.fit, with_bias=layer.bias is not None)
    prior = layer.weight[columns]
    gram = xx[np.ix_(columns, columns)]
    gram[np.diag_indices_from(gram)] += ridge
    weight = np.asarray(np.linalg.solve(gram, xy[columns] + ridge * prior), np.float64)
    if layer.bias is None:
        return weight, None
    rows = layer.fit.rows
    return weight, np.asarray((layer.fit.xy[-1] - layer.fit.xx[-1, columns] @ weight) / rows, np.float64)


def error(layer: Layer, channels: Index, weight: Matrix, bias: Matrix | None) -> float:
    """Return the share of the original output's variance that is missed on held-out rows."""
    moments = layer.held_out
    columns = np.append(layer.columns(channels), len(layer.weight))
    full = np.concatenate([weight, np.zeros((1, weight.shape[1])) if bias is None else bias[None]])
    xx, xy = moments.xx[np.ix_(columns, columns)], moments.xy[columns]
    squares = moments.yy - 2 * float((full * xy).sum()) + float((full * (xx @ full)).sum())
    return max(squares, 0.0) / moments.variance


def fewest(layers: Sequence[Layer], order: Index, largest_error: float, *, at_least: int = 1) -> Index:
    """Return the fewest channels of the order's end with which every layer stays within the error."""
    low, high = max(at_least, 1), len(order)
    while low < high:
        middle = (low + high) // 2
        kept = np.sort(order[len(order) - middle :])
        if all(error(layer, kept, *refit(layer, kept)) <= largest_error for layer in layers):
            high = middle
        else:
            low = middle + 1
    return np.sort(order[len(order) - high :])


def _centered(moments: Moments, *, with_bias: bool) -> tuple[Matrix, Matrix, float]:
    xx, xy = moments.xx[:-1, :-1] / moments.rows, moments.xy[:-1] / moments.rows
    if with_bias:
        mean_x, mean_y = moments.xx[-1, :-1] / moments.rows, moments.xy[-1] / moments.rows
        xx, xy = xx - np.outer(mean_x, mean_x), xy - np.outer(mean_x, mean_y)
    ridge = RIDGE * float(np.trace(xx)) / max(len(xx), 1) + 1e-9
    return xx, xy, ridge


class _Elimination:
    """The inverse Hessian and the refitted weights while channels are dropped."""

    def __init__(self, layer: Layer) -> None:
        xx, xy, ridge = _centered(layer.fit, with_bias=layer.bias is not None)
        gram = xx + ridge * np.eye(len(xx))
        self.width = layer.width
        self.inverse = np.linalg.inv(gram)
        self.weight = self.inverse @ (xy + ridge * layer.weight)
        self.scale = layer.fit.variance / layer.fit.rows

    def scores(self) -> Matrix:
        n, width = len(self.weight) // self.width, self.width
        if width == 1:
            squares: Matrix = (self.weight**2).sum(axis=1) / np.diag(self.inverse)
            return squares / self.scale
        blocks = self.inverse.reshape(n, width, n, width)[np.arange(n), :, np.arange(n), :]
        weights = self.weight.reshape(n, width, -1)
        solved = np.linalg.solve(blocks, weights)
        lost: Matrix = (weights * solved).sum(axis=(1, 2))
        return lost / self.scale

    def drop(self, places: Index) -> None:
        gone = (places[:, None] * self.width + np.arange(self.width)).ravel()
        kept = np.setdiff1d(np.arange(len(self.weight)), gone)
        across = self.inverse[np.ix_(kept, gone)]
        block = self.inverse[np.ix_(gone, gone)]
        self.weight = self.weight[kept] - across @ np.linalg.solve(block, self.weight[gone])
        self.inverse = self.inverse[np.ix_(kept, kept)] - across @ np.linalg.solve(block, across.T)

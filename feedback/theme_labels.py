"""Themes by label: few labels that people gave teach what theme a text is of; it abstains when it is not sure. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from feedback.texts import Space

# Below so many labels of a theme its texts are left to clusters.
LEAST_LABELS: Final = 5
SURE: Final = 0.5
ROUNDS: Final = 3
SURER: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A theme a person gave a text."""

    words: str
    theme: str


def learnable(labels: Sequence[Label]) -> frozenset[str]:
    """Return the themes with labels enough to learn from; none unless there are two to tell apart."""
    counts = Counter(label.theme for label in labels)
    enough = frozenset(theme for theme, count in counts.items() if count >= LEAST_LABELS)
    return enough if len(enough) >= 2 else frozenset()


def classify(texts: Sequence[str], labels: Sequence[Label], *, sure: float = SURE) -> tuple[str | None, ...]:
    """Return the theme of each text, None where no theme is at least `sure` likely.

    The words are weighed by all texts, so that unlabeled ones help too.
    """
    themes = learnable(labels)
    if not themes or not texts:
        return (None,) * len(texts)
    known = [label for label in labels if label.theme in themes]
    space = Space([*(label.words for label in known), *texts])
    taught, asked = space.features[: len(known)], space.features[len(known) :]
    names = np.asarray([label.theme for label in known])
    model: Any = LogisticRegression(C=10.0, class_weight="balanced", max_iter=300)
    model.fit(taught, names)
    chances = model.predict_proba(asked)
    for _ in range(ROUNDS):
        # The surest of each theme teach the words that go with those of its labels (Yarowsky 1995).
        rows, guesses = _surest(chances, model.classes_, len(known) // len(themes))
        weights = np.concatenate([np.ones(len(known)), np.full(len(rows), 0.5)])
        model.fit(sparse.vstack([taught, asked[rows]]), np.concatenate([names, guesses]), sample_weight=weights)
        chances = model.predict_proba(asked)
    best = np.argmax(chances, axis=1)
    return tuple(
        str(model.classes_[place]) if chance >= sure else None
        for place, chance in zip(best, chances.max(axis=1), strict=True)
    )


def _surest(chances: npt.NDArray[np.float64], classes: Any, labels: int) -> tuple[list[int], Any]:
    """Return the rows of the surest guesses, at most four a label of each theme, and the guesses."""
    best, sure = np.argmax(chances, axis=1), chances.max(axis=1)
    rows: list[int] = []
    for place in range(chances.shape[1]):
        mine = np.flatnonzero((best == place) & (sure >= SURER))
        rows += mine[np.argsort(-sure[mine], kind="stable")][: 4 * labels].tolist()
    return rows, np.asarray(classes)[best[rows]]

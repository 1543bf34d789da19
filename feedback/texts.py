"""Texts: what people wrote, made comparable in any language: words, pairs and parts of words, weighed. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from feedback.stop_words import says_something

DIMENSIONS: Final = 60
MOST_WORDS: Final = 20_000
MOST_PARTS: Final = 20_000
# Words are what stands between spaces or signs; a script without spaces is cut into pairs of characters.
TOKEN: Final = re.compile(r"[぀-ヿ一-鿿]{2}|[^\W\d_][\w']+")
_NOISE: Final = re.compile(r"https?://\S+|\d+")
_REPEATED: Final = re.compile(r"(\w)\1{2,}")
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One scrubbed answer in words. `install` tells people apart; `is_low`: the rating given with it was a bad one."""

    words: str
    install: str
    at: datetime
    is_low: bool | None = None
    release: str | None = None
    cohort: str | None = None


def plain(words: str) -> str:
    """Return a text as it is compared: one case, composed letters, no addresses, no numbers, no "sooooo"."""
    lowered = unicodedata.normalize("NFKC", words).casefold()
    return " ".join(_REPEATED.sub(r"\1\1", _NOISE.sub(" ", lowered)).split())


def terms(words: str) -> list[str]:
    """Return the words of a text and its pairs of neighbors."""
    found = TOKEN.findall(plain(words))
    return [*found, *(f"{left} {right}" for left, right in pairwise(found))]


class Space:
    """The vectors of texts: TF-IDF of words and parts of words, learned from the texts it is made with."""

    def __init__(self, texts: Sequence[str], *, seed: int = 0) -> None:
        known = [plain(text) for text in texts]
        rare = 1 if len(known) < 400 else 3
        self._words: Any = TfidfVectorizer(
            analyzer=terms, preprocessor=None, lowercase=False, min_df=rare, max_df=0.5, sublinear_tf=True,
            max_features=MOST_WORDS,
        )  # fmt: skip
        self._parts: Any = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 4), lowercase=False, min_df=rare, max_df=0.5, sublinear_tf=True,
            max_features=MOST_PARTS,
        )  # fmt: skip
        self.features: Any = sparse.hstack(
            [self._fit(self._words, known), 0.7 * self._fit(self._parts, known)], format="csr"
        )
        self._seed = seed

    def _fit(self, vectorizer: Any, texts: Sequence[str]) -> Any:
        try:
            return vectorizer.fit_transform(texts)
        except ValueError:  # no term is common enough: the texts say nothing to one another
            vectorizer.set_params(min_df=1, max_df=1.0)
            return vectorizer.fit_transform([*texts, "nothing"])[:-1]

    def of(self, texts: Sequence[str]) -> Any:
        """Return the features of other texts."""
        known = [plain(text) for text in texts]
        return sparse.hstack([self._words.transform(known), 0.7 * self._parts.transform(known)], format="csr")

    def dense(self) -> Matrix:
        """Return the texts the space was made with in at most 60 dimensions, each of length 1."""
        size = min(DIMENSIONS, self.features.shape[1] - 1, self.features.shape[0] - 1)
        if size < 2:
            found: Matrix = normalize(self.features).toarray()
            return found
        reduced = TruncatedSVD(size, random_state=self._seed, n_iter=3).fit_transform(self.features)
        return np.asarray(normalize(reduced))


def class_terms(
    texts: Sequence[str], groups: Sequence[int], weights: Matrix, *, count: int = 3
) -> dict[int, tuple[str, ...]]:
    """Return the terms that set each group of texts apart (class-based TF-IDF: Grootendorst 2022, arXiv:2203.05794).

    Words that say nothing by themselves are left to groups that have no others. `weights`: how often each text was
    written.
    """
    names = sorted(set(groups))
    if not names:
        return {}
    try:
        vectorizer: Any = CountVectorizer(analyzer=terms, lowercase=False, max_features=MOST_WORDS, binary=True)
        counts = vectorizer.fit_transform(texts)
    except ValueError:
        return dict.fromkeys(names, ())
    place = {name: row for row, name in enumerate(names)}
    rows = np.asarray([place[group] for group in groups])
    member = sparse.csr_array((weights, (rows, np.arange(len(rows)))), shape=(len(names), len(rows)))
    inside = (member @ counts).toarray()
    share = inside / np.maximum(np.bincount(rows, weights=weights, minlength=len(names))[:, None], 1)
    weight = share * np.log(1 + share.mean(axis=0).max() / np.maximum(share.mean(axis=0), 1e-9))
    weight = np.where(inside >= 2, weight, 0.0)
    known = vectorizer.get_feature_names_out()
    telling = np.asarray([says_something(str(term)) for term in known])
    found = {}
    for name in names:
        mine = weight[place[name]]
        ranked = np.argsort(-np.where(telling, mine, 0.0), kind="stable")[:30]
        told = [str(known[k]) for k in ranked if telling[k] and mine[k] > 0]
        found[name] = _apart(told or [str(known[k]) for k in np.argsort(-mine)[:30] if mine[k] > 0], count)
    return found


def _apart(ranked: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the first terms of which none is part of another."""
    found: list[str] = []
    for term in ranked:
        if not any(set(term.split()) & set(other.split()) for other in found):
            found.append(term)
    return tuple(found[:count])

"""Themes: what many people wrote about, how many they are, and what is new this week.

Labels of people come first; what they do not cover is clustered (TF-IDF, SVD, k-means) and named by the terms that set
a cluster apart. Whether a theme is a complaint is told by the ratings given with it, not by its words. No theme of
fewer than 5 people is told, or 3 if all of them run the release that it appeared with. Pure.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from scipy.stats import binom
from sklearn.cluster import MiniBatchKMeans
from sklearn.feature_extraction.text import CountVectorizer

from feedback.scores import Score, discoveries, share
from feedback.texts import Space, Text, class_terms, plain, terms
from feedback.theme_labels import Label, classify

LEAST_PEOPLE: Final = 5
LEAST_PEOPLE_OF_RELEASE: Final = 3
MOST_CLUSTERS: Final = 60
QUOTES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """A theme with how many people wrote of it. `low` is the share of bad ratings given with it, None without ratings.

    `by_cohort` and `by_release` count people; `quotes` are texts near its middle, each of another person.
    `change` compares people this period with what the period before makes one expect: 1 is no change.
    """

    name: str
    source: Literal["labels", "cluster"]
    people: int
    texts: int
    low: Score | None
    quotes: tuple[str, ...]
    by_cohort: tuple[tuple[str, int], ...] = ()
    by_release: tuple[tuple[str, int], ...] = ()
    change: float | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTerm:
    """A word, or two, that more people use than in the weeks before, beyond chance."""

    term: str
    people: int
    people_before: int
    p: float
    release: str | None


def find_themes(
    texts: Sequence[Text], *, before: Sequence[Text] = (), labels: Sequence[Label] = (), seed: int = 0
) -> tuple[Theme, ...]:
    """Return the themes of `texts`, most people first; `before` are those of earlier weeks, to tell what changed."""
    if not texts:
        return ()
    together = [*texts, *before]
    words = [text.words for text in together]
    told = classify(words, labels)
    groups: dict[tuple[str, Literal["labels", "cluster"]], list[int]] = defaultdict(list)
    for place, theme in enumerate(told):
        if theme is not None:
            groups[theme, "labels"].append(place)
    rest = [place for place, theme in enumerate(told) if theme is None]
    for name, members in cluster([words[place] for place in rest], seed=seed).items():
        groups[name, "cluster"] += [rest[place] for place in members]
    now = len(texts)
    news = {new.term for new in new_terms(texts, before)} if before else set()
    themes = []
    for (name, source), members in groups.items():
        mine = [together[place] for place in members if place < now]
        past = [together[place] for place in members if place >= now]
        if is_shown(mine):
            change = _change(mine, past, texts, before)
            is_new = change is not None and change > 1 and any(set(terms(name)) & set(terms(term)) for term in news)
            themes.append(_theme(name, source, mine, change, is_new))
    return tuple(sorted(themes, key=lambda theme: (-theme.people, theme.name)))


def is_shown(texts: Sequence[Text]) -> bool:
    """Whether enough people wrote them: 5, or 3 who all run one release."""
    people = {text.install for text in texts}
    releases = {text.release for text in texts}
    matches = len(releases) == 1 and None not in releases
    return len(people) >= (LEAST_PEOPLE_OF_RELEASE if matches else LEAST_PEOPLE)


def cluster(words: Sequence[str], *, seed: int = 0) -> dict[str, list[int]]:
    """Return the places of texts by cluster, the most central first, under the terms that set each apart.

    What several people wrote alike is placed once.
    """
    places: dict[str, list[int]] = defaultdict(list)
    for place, text in enumerate(words):
        places[plain(text)].append(place)
    places.pop("", None)
    once = list(places)
    if len(once) < 2:
        return {once[0]: places[once[0]]} if once else {}
    size = max(2, min(MOST_CLUSTERS, int(math.sqrt(len(once) / 2))))
    vectors = Space(once, seed=seed).dense()
    weights = np.asarray([float(len(places[text])) for text in once])
    model: Any = MiniBatchKMeans(size, random_state=seed, n_init=3, batch_size=2048, max_iter=60)
    groups = model.fit_predict(vectors, sample_weight=weights)
    far = np.linalg.norm(vectors - model.cluster_centers_[groups], axis=1)
    names = class_terms(once, groups.tolist(), weights)
    found: dict[str, list[int]] = defaultdict(list)
    for row in np.argsort(far, kind="stable"):
        name = ", ".join(names[int(groups[row])]) or once[row]
        found[name] += places[once[row]]
    return dict(found)


def new_terms(
    texts: Sequence[Text], before: Sequence[Text], *, false_discovery_rate: float = 0.05
) -> tuple[NewTerm, ...]:
    """Return the terms that people use more than in the weeks before, the surest first; each person counts once.

    Of k people who used a term in either period, by chance as large a share is of this one as of all people.
    """
    people, people_before = _documents(texts), _documents(before)
    if not people or not people_before:
        return ()
    documents = [*people.values(), *people_before.values()]
    try:
        vectorizer: Any = CountVectorizer(analyzer=list, binary=True, min_df=LEAST_PEOPLE_OF_RELEASE)
        counts = vectorizer.fit_transform(documents)
    except ValueError:
        return ()
    now = np.asarray(counts[: len(people)].sum(axis=0)).ravel()
    total = np.asarray(counts.sum(axis=0)).ravel()
    chances = binom.sf(now - 1, total, len(people) / len(documents))
    names = vectorizer.get_feature_names_out()
    found: list[NewTerm] = []
    for place in sorted(discoveries(chances.tolist(), false_discovery_rate), key=lambda place: chances[place]):
        term = str(names[place])
        mine = [text for text in texts if term in terms(text.words)]
        if is_shown(mine) and not any(set(term.split()) & set(other.term.split()) for other in found):
            releases = {text.release for text in mine}
            found.append(
                NewTerm(
                    term=term,
                    people=int(now[place]),
                    people_before=int(total[place] - now[place]),
                    p=float(chances[place]),
                    release=releases.pop() if len(releases) == 1 else None,
                )
            )
    return tuple(found)


def _documents(texts: Sequence[Text]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        found[text.install].update(terms(text.words))
    return found


def _change(mine: Sequence[Text], past: Sequence[Text], texts: Sequence[Text], before: Sequence[Text]) -> float | None:
    """Return people's share now over their share before, half a person added to each."""
    all_now, all_before = len({text.install for text in texts}), len({text.install for text in before})
    if not all_before:
        return None
    now, then = len({text.install for text in mine}), len({text.install for text in past})
    return ((now + 0.5) / (all_now + 1)) / ((then + 0.5) / (all_before + 1))


def _theme(
    name: str, source: Literal["labels", "cluster"], mine: Sequence[Text], change: float | None, is_new: bool
) -> Theme:
    rated = {text.install: text.is_low for text in mine if text.is_low is not None}
    quotes: dict[str, str] = {}
    for text in mine:
        if text.install not in quotes and text.words not in quotes.values():
            quotes[text.install] = text.words
    return Theme(
        name=name,
        source=source,
        people=len({text.install for text in mine}),
        texts=len(mine),
        low=share(sum(rated.values()), len(rated)) if rated else None,
        quotes=tuple(quotes.values())[:QUOTES],
        by_cohort=_counted([(text.cohort, text.install) for text in mine]),
        by_release=_counted([(text.release, text.install) for text in mine]),
        change=change,
        is_new=is_new,
    )


def _counted(pairs: Sequence[tuple[str | None, str]]) -> tuple[tuple[str, int], ...]:
    """Return how many people each value has, most first; values of fewer people than a theme needs are left out."""
    counts = Counter(value for value, _ in {pair for pair in pairs if pair[0] is not None})
    told = [(str(value), count) for value, count in counts.items() if count >= LEAST_PEOPLE]
    return tuple(sorted(told, key=lambda pair: (-pair[1], pair[0])))

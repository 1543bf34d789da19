"""Themes: how well few labels and no labels sort texts whose theme is known, false news in quiet weeks, and time.

`python -m bench.themes` prints macro-F1, coverage and accuracy of what is answered by labels given per theme, the
normalized mutual information of clusters without labels, new terms told in quiet weeks, and CPU seconds for 10^5 texts.
"""

from __future__ import annotations

import argparse
import random
import time

from sklearn.metrics import f1_score, normalized_mutual_info_score

from bench.theme_texts import PHRASES, corpus, texts
from feedback.theme_labels import Label, classify
from feedback.themes import cluster, find_themes, new_terms


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--texts", type=int, default=6000)
    parser.add_argument("--many", type=int, default=100_000)
    options = parser.parse_args()
    known = corpus(1, options.texts)
    for name, each in (("English", corpus(1, options.texts, languages=("en",))), ("four languages", known)):
        print(name)
        _labels(each)
        words, truth = [text for text, _ in each], [theme for _, theme in each]
        groups = cluster(words)
        of = {place: name for name, places in groups.items() for place in places}
        nmi = normalized_mutual_info_score(truth, [of.get(place, "") for place in range(len(words))])
        print(f"no labels: {len(groups)} clusters, NMI {nmi:.2f}")
    quiet = sum(len(new_terms(texts(100 + week, 800), texts(200 + week, 3200))) for week in range(20))
    print(f"new terms told in 20 quiet weeks: {quiet}")
    many = texts(7, options.many)
    for name, labels in (("clusters only", []), ("160 labels", _some(known, 20, seed=3))):
        started = time.process_time()
        found = find_themes(many, labels=labels)
        print(f"{options.many} texts, {name}: {time.process_time() - started:.1f} CPU s, {len(found)} themes")


def _some(known: list[tuple[str, str]], each: int, *, seed: int) -> list[Label]:
    rng = random.Random(seed)
    drawn = rng.sample(known, len(known))
    return [
        Label(words=words, theme=theme)
        for theme in PHRASES
        for words, _ in [pair for pair in drawn if pair[1] == theme][:each]
    ]


def _labels(known: list[tuple[str, str]]) -> None:
    print("labels a theme   macro-F1   answered above .5   of these right")
    words, truth = [text for text, _ in known], [theme for _, theme in known]
    for each in (5, 10, 20, 40):
        scores, covered, right = [], 0.0, 0.0
        for seed in range(3):
            labels = _some(known, each, seed=seed)
            forced = classify(words, labels, sure=0.0)
            told = classify(words, labels)
            scores.append(f1_score(truth, forced, average="macro"))
            sure = [(one, other) for one, other in zip(told, truth, strict=True) if one is not None]
            covered += len(sure) / len(truth) / 3
            right += sum(one == other for one, other in sure) / len(sure) / 3
        print(f"{each:>14}   {sum(scores) / 3:>8.3f}   {covered:>17.2f}   {right:>14.3f}")


if __name__ == "__main__":
    main()

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.theme_texts import NOW, corpus, texts
from feedback.stop_words import says_something
from feedback.texts import Text, class_terms, plain, terms
from feedback.theme_labels import Label, classify, learnable
from feedback.themes import Theme, cluster, find_themes, is_shown, new_terms


def said(words: str, *installs: str, low: bool | None = None, release: str | None = None) -> list[Text]:
    return [Text(words=words, install=each, at=NOW, is_low=low, release=release) for each in installs]


def people(count: int, prefix: str = "p") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def some_labels(each: int = 12) -> list[Label]:
    found: dict[str, list[Label]] = {}
    for words, theme in corpus(9, 1500, languages=("en",)):
        found.setdefault(theme, []).append(Label(words=words, theme=theme))
    return [label for labels in found.values() for label in labels[:each]]


def test_a_theme_counts_people_not_texts_and_needs_five_of_them() -> None:
    heat = [*said("my phone gets hot", *people(6)), *said("phone is hot again", "p0", "p1")]
    slow = said("so slow to load", *people(4, "s")) * 3

    themes = find_themes([*heat, *slow])

    assert all(theme.people >= 5 for theme in themes)
    assert sum("hot" in theme.name for theme in themes) == 1
    assert not any("slow" in quote for theme in themes if theme.people < 6 for quote in theme.quotes)


def test_three_people_are_enough_when_all_run_one_release() -> None:
    assert is_shown(said("crashes", *people(3), release="R12"))
    assert not is_shown(said("crashes", *people(3)))
    assert not is_shown([*said("crashes", "a", "b", release="R12"), *said("crashes", "c", release="R11")])
    assert not is_shown(said("crashes", "a", "b", release="R12"))
    assert is_shown(said("crashes", *people(5)))


def test_a_complaint_is_told_by_its_ratings_one_for_each_person() -> None:
    (theme,) = find_themes([*said("gets hot", *people(8), low=True), *said("gets hot", *people(2, "q"), low=False)])

    assert theme.low is not None
    assert (theme.low.value, theme.low.n) == (0.8, 10)
    assert find_themes(said("gets hot", *people(6)))[0].low is None


def test_quotes_are_of_different_people_and_say_different_things() -> None:
    (theme,) = find_themes(said("gets hot", *people(9)))

    assert theme.quotes == ("gets hot",)


def test_releases_and_cohorts_of_few_people_are_left_out() -> None:
    many = [replace(text, cohort="chipset=A16") for text in said("gets hot", *people(7), release="R12")]
    few = [replace(text, cohort="chipset=G35") for text in said("gets hot", *people(2, "q"), release="R11")]

    (theme,) = find_themes([*many, *few])

    assert theme.by_cohort == (("chipset=A16", 7),)
    assert theme.by_release == (("R12", 7),)


def test_clusters_are_named_by_what_sets_them_apart_and_the_same_every_time() -> None:
    words = [text for text, _ in corpus(2, 900, languages=("en",))]

    names = cluster(words)

    assert sorted(place for places in names.values() for place in places) == list(range(900))
    assert any("drains" in name for name in names)
    assert any("hot" in name for name in names)
    assert list(cluster(words)) == list(names)


def test_no_theme_is_named_by_words_that_say_nothing() -> None:
    """In any of the bench's four languages."""
    named = {term for name in cluster([words for words, _ in corpus(1, 1500)]) for term in name.split(", ")}

    assert not {word for term in named for word in (term.split()[0], term.split()[-1])} & {
        "the", "it", "is", "my", "in", "der", "die", "das", "ist", "wird", "el", "la", "se", "es", "le", "est", "mon",
    }  # fmt: skip
    assert len(named) > 8


def test_what_denies_is_kept_and_words_that_say_nothing_name_what_has_no_others() -> None:
    assert [term for term in ("not", "hears nothing", "in the", "me", "the word", "kein", "der Akku".lower())
            if says_something(term)] == ["not", "hears nothing", "kein"]  # fmt: skip
    found = class_terms(["it is"] * 3 + ["battery dies"] * 3, [0] * 3 + [1] * 3, np.ones(6))
    assert set(found[0]) == {"it", "is"}
    assert "battery" in found[1]


def test_few_labels_sort_most_texts_and_what_is_answered_is_right() -> None:
    known = corpus(5, 1200, languages=("en",))

    told = classify([words for words, _ in known], some_labels(20))

    answered = [(theme, truth) for theme, (_, truth) in zip(told, known, strict=True) if theme is not None]
    assert len(answered) >= 0.7 * len(known)
    assert sum(theme == truth for theme, truth in answered) >= 0.93 * len(answered)


def test_what_is_like_no_label_gets_no_theme() -> None:
    assert classify(["", "zzz qqq", "kann ich hier Fahrkarten kaufen"], some_labels()) == (None, None, None)


def test_labels_of_one_theme_or_too_few_teach_nothing() -> None:
    assert learnable([Label(words="hot", theme="heat")] * 9) == frozenset()
    assert learnable([*[Label(words="hot", theme="heat")] * 9, *[Label(words="slow", theme="slow")] * 4]) == frozenset()
    assert classify(["hot"], []) == (None,)


def test_labeled_themes_come_first_and_clusters_take_the_rest() -> None:
    themes = find_themes(texts(3, 1500), labels=some_labels())

    named = {theme.name: theme for theme in themes if theme.source == "labels"}
    assert {"heat", "battery", "slow"} <= named.keys()
    assert any(theme.source == "cluster" for theme in themes)
    assert [theme.people for theme in themes] == sorted((theme.people for theme in themes), reverse=True)


def test_a_word_many_people_suddenly_use_is_new_and_its_release_is_named() -> None:
    before = texts(11, 1200)
    now = [*texts(12, 300), *said("the new beep is annoying", *people(9), release="R12")]

    found = new_terms(now, before)

    assert any("beep" in new.term or "annoying" in new.term for new in found)
    assert all(new.release == "R12" for new in found)
    assert found[0].people == 9
    assert found[0].people_before == 0


def test_one_person_who_writes_much_makes_nothing_new() -> None:
    now = [*texts(12, 300), *said("the new beep is annoying", "p0") * 40]

    assert new_terms(now, texts(11, 1200)) == ()


def test_in_quiet_weeks_hardly_a_term_is_new() -> None:
    found = [new_terms(texts(seed, 300), texts(50 + seed, 1200)) for seed in range(10)]

    assert sum(map(len, found)) <= 1


def test_a_theme_that_grew_is_told_as_new_with_its_change() -> None:
    before = [*texts(11, 600)]
    now = [*texts(12, 200), *said("annoying beep after the update", *people(30))]

    grown = [theme for theme in find_themes(now, before=before) if "beep" in theme.name]

    assert len(grown) == 1
    assert grown[0].is_new
    assert grown[0].change is not None
    assert grown[0].change > 5


@pytest.mark.parametrize("words", [[], [""], ["", "  "], ["a"], ["123", "!!!"]])
def test_texts_that_say_nothing_make_no_theme_and_no_error(words: list[str]) -> None:
    empty = [Text(words=each, install=f"p{place}", at=NOW) for place, each in enumerate(words)]

    assert find_themes(empty) == ()
    assert new_terms(empty, empty) == ()


def test_texts_are_compared_without_case_numbers_addresses_and_drawn_out_letters() -> None:
    assert plain("SOOOO slow 123 https://x.test/y  Straße") == "soo slow strasse"
    assert terms("Gets HOT, fast") == ["gets", "hot", "fast", "gets hot", "hot fast"]
    assert terms("手机发热") == ["手机", "发热", "手机 发热"]


def test_a_theme_is_a_value() -> None:
    theme = Theme(name="heat", source="labels", people=5, texts=6, low=None, quotes=())

    assert replace(theme) == theme

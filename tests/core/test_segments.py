"""Rules over devices: read, written, matched."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.device import FIELDS, NUMBER_FIELDS, VERSION_FIELDS, DeviceContext
from core.errors import InvalidInputError, Problem
from core.segments import (
    EVERYONE,
    Is,
    Not,
    Segment,
    all_of,
    any_of,
    comparison,
    fields_of,
    from_json,
    matches,
    parse,
    text,
    to_json,
)

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "segments.json").read_text())["vectors"]
PIXEL = DeviceContext(
    platform="android", os="14", ram_gb=8.0, chipset="Tensor G2", accelerator="nnapi", model_version="3.2.0"
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_the_vectors_for_other_languages_hold(vector: dict[str, object]) -> None:
    segment = from_json(vector["targeting"])

    assert text(segment) == vector["text"]
    assert parse(str(vector["text"])) == segment
    context = vector["context"]
    assert isinstance(context, dict)
    assert matches(segment, DeviceContext.from_wire(context)) is vector["matches"]


def mistakes(rule: str) -> list[str]:
    with pytest.raises(InvalidInputError) as caught:
        parse(rule)
    return [str(problem) for problem in caught.value.problems]


def test_every_mistake_is_told_with_its_place() -> None:
    assert mistakes("chipst=G2 and ram_gb<lots or country>DE and os=") == [
        "at character 1: no field 'chipst'; did you mean 'chipset'?",
        "at character 15: ram_gb needs a number, not 'lots'",
        "at character 30: country has no order; use = or in",
        "at character 48: expected a value, found the end",
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("chipset=Helio G35", 'at character 9: put quotes round a value with spaces: "Helio G35"'),
        (
            "platform",
            "at character 9: expected =, !=, <, <=, >, >=, in, not in, contains, starts_with or ends_with "
            "after 'platform', found the end",
        ),
        ("(platform=android", "at character 18: expected ')', found the end"),
        ("platform=android)", "at character 17: ')' is not expected here; join rules with and/or"),
        ("platform=android os=14", 'at character 10: put quotes round a value with spaces: "android os"'),
        ('chipset="G2', "at character 9: this quote is not closed"),
        ("accelerator in nnapi", "at character 16: expected '(', found 'nnapi'"),
        ("os<beta", "at character 1: os needs a version like 3.2.0, not 'beta'"),
        ("and", "at character 1: expected a field like platform, found 'and'"),
        ("((((((((((((platform=a", "at character 12: is nested too deeply"),
        ("not " * 50 + "platform=a", "at character 45: is nested too deeply"),
        ("x" * 3000, "a rule has at most 2000 characters"),
    ],
)
def test_a_mistake_says_what_to_do(rule: str, message: str) -> None:
    assert message in mistakes(rule)


def test_a_mistake_in_brackets_does_not_hide_the_rest() -> None:
    assert len(mistakes("(chipst=G2 and ram_gb<4) and tiers=low")) == 2


@pytest.mark.parametrize("rule", ["", "   ", "everyone"])
def test_no_rule_is_everyone(rule: str) -> None:
    assert parse(rule) == EVERYONE
    assert matches(parse(rule), DeviceContext())
    assert text(EVERYONE) == "everyone"
    assert from_json(None) == from_json({}) == from_json({"all": []}) == EVERYONE


def test_smart_quotes_and_signs_of_slack_are_read() -> None:
    assert parse("chipset = “Tensor G2” and ram_gb ≥ 4") == parse('chipset="Tensor G2" and ram_gb>=4')


@pytest.mark.parametrize(
    "rule", ["country=DE", "country!=DE", "not country=DE", "country in (DE, FR)", "country not in (DE, FR)"]
)
def test_a_fact_that_was_not_told_never_matches(rule: str) -> None:
    assert not matches(parse(rule), PIXEL)


def test_another_part_may_still_decide_when_a_fact_is_missing() -> None:
    assert matches(parse("country=DE or platform=android"), PIXEL)
    assert matches(parse("not (country=DE and platform=ios)"), PIXEL)
    assert not matches(parse("not (country=DE or platform=ios)"), PIXEL)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("model_version>=3.2", True),
        ("model_version<3.10.0", True),
        ("model_version=3.2", True),
        ("model_version>3.2.0-rc.1", True),
        ("os<9", False),
        ("ram_gb<=8", True),
        ("ram_gb=8.0", True),
        ("ram_gb<8", False),
        ("platform=ANDROID", True),
        ("accelerator in (gpu, nnapi)", True),
        ("accelerator not in (gpu, nnapi)", False),
        ("soc='tensor g2'", True),
    ],
)
def test_versions_numbers_and_words_are_compared_each_in_their_way(rule: str, expected: bool) -> None:
    assert matches(parse(rule), PIXEL) is expected


def test_a_version_that_is_none_is_in_no_order_but_may_be_equal() -> None:
    nightly = DeviceContext(app_version="nightly")

    assert matches(parse("app_version=nightly"), nightly)
    assert not matches(parse("app_version>=1.0"), nightly)
    assert not matches(parse("not app_version>=1.0"), nightly)


def test_every_mistake_of_a_json_rule_is_told_with_its_path() -> None:
    rule = {
        "all": [
            {"field": "colour", "operator": "eq", "value": 1},
            {"any": {}},
            {"field": "soc"},
            7,
            {"field": "soc", "operator": "like", "value": "x"},
            {"field": "soc", "operator": "eq", "value": None},
            {"field": "soc", "operator": "semver_gte", "value": "1"},
            {"field": "soc", "operator": "eq", "value": ["a", "b"]},
        ]
    }

    with pytest.raises(InvalidInputError) as caught:
        from_json(rule)

    assert [problem.path for problem in caught.value.problems] == [
        "targeting.all[0]",
        "targeting.all[1].any",
        "targeting.all[2]",
        "targeting.all[3]",
        "targeting.all[4]",
        "targeting.all[5].value",
        "targeting.all[6]",
        "targeting.all[7]",
    ]


def test_a_rule_names_the_fields_it_looks_at() -> None:
    assert fields_of(parse("soc=G2 and not (ram_gb<4 or platform=ios)")) == {"chipset", "ram_gb", "platform"}


words = st.text(min_size=1, max_size=6).filter(lambda word: word.strip() != "")


@st.composite
def leaves(draw: st.DrawFn) -> Segment:
    field = draw(st.sampled_from(sorted(FIELDS.values())))
    ordered = ["lt", "lte", "gt", "gte"] if field in NUMBER_FIELDS | VERSION_FIELDS else []
    operator = draw(st.sampled_from(["eq", "neq", "in", "not_in", *ordered]))
    number = st.integers(0, 40).map(str)
    value = number if ordered else words
    found = comparison(field, operator, draw(st.lists(value, min_size=1, max_size=3 if "in" in operator else 1)))
    assert isinstance(found, Is)
    return found


rules = st.recursive(
    leaves(),
    lambda inner: st.lists(inner, max_size=3).map(all_of) | st.lists(inner, max_size=3).map(any_of) | inner.map(Not),
    max_leaves=6,
)
devices = st.builds(
    DeviceContext,
    platform=st.none() | st.sampled_from(["android", "ios"]),
    ram_gb=st.none() | st.floats(1, 16),
    os=st.none() | st.integers(0, 40).map(str),
    chipset=st.none() | words,
)


@given(rules)
def test_a_rule_survives_text_and_json(segment: Segment) -> None:
    assert parse(text(segment)) == segment
    assert from_json(json.loads(json.dumps(to_json(segment)))) == segment


@given(rules, devices)
def test_a_rule_and_its_opposite_never_both_match(segment: Segment, device: DeviceContext) -> None:
    assert not (matches(segment, device) and matches(Not(segment), device))


@given(st.text(max_size=60))
def test_reading_anything_gives_a_rule_or_problems(rule: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        segment = parse(rule)
    except InvalidInputError as error:
        problems = error.problems
    else:
        assert parse(text(segment)) == segment
        return
    assert problems

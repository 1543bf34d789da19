"""Recipes: what people type, and every mistake in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInputError
from optimize.recipes import NAMES, parse_recipe


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("auto", "auto"),
        ("prune", "prune"),
        ("prune@0.05", "prune@0.05"),
        ("Prune50, INT8", "prune50,int8"),
        ("prune50%+int8-static", "prune50,int8-static"),
        ("fix-shapes prune int8 ort", "fix-shapes,prune,int8,ort"),
        ("distil", "distil"),
        ("distil32,int8-weights", "distil32,int8-weights"),
        ("int8-static-skip2", "int8-static-skip2"),
    ],
)
def test_reads_one_step_or_a_chain(text: str, canonical: str) -> None:
    recipe = parse_recipe(text)

    assert str(recipe) == canonical
    assert parse_recipe(str(recipe)) == recipe


def test_tells_every_mistake_at_once() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_recipe("int8,prun50,prune99,fp16")

    assert [problem.message for problem in caught.value.problems] == [
        "no step 'prun50'; did you mean prune?",
        "prune99: drop 1 to 95 percent of the channels",
        "prune99 must stand before int8",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("int8,fp16", "int8 and fp16 exclude one another; keep one"),
        ("auto,int8", "auto stands alone"),
        ("int8-dynamik", "did you mean int8-dynamic"),
        ("distil2000", "4 to 1024 hidden units"),
        ("prune@0.95", "within 0.0001 and 0.9"),
        ("   ", "name a recipe: auto"),
        ("ort,int8", "int8 must stand before ort"),
        ("$(rm -rf /)", "no step"),
    ],
)
def test_says_what_to_write_instead(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message.replace("(", r"\(")):
        parse_recipe(text)


def test_knows_which_recipes_need_inputs() -> None:
    assert parse_recipe("prune50,int8-weights").needs_inputs
    assert not parse_recipe("fp16").needs_inputs


@given(st.text(max_size=60))
def test_whatever_is_typed_becomes_steps_of_the_allow_list_or_a_sentence(text: str) -> None:
    try:
        recipe = parse_recipe(text)
    except InvalidInputError:
        return
    assert {step.name for step in recipe.steps} <= set(NAMES)

"""Slack's limits, kept by the primitives."""

from __future__ import annotations

import pytest

from bot.views import blocks, limits
from bot.views.blocks import Message, Number
from tests.bot.slack_rules import accepted

REPORT = Message(
    text="kws, 7 days",
    blocks=(
        blocks.header("kws"),
        blocks.section("*CSAT* 86 %", fields=["n=1904", "hidden 3"]),
        blocks.bar_chart("CSAT", ["Helio G35", "Tensor G2"], {"CSAT": [61.0, 90.0]}) or {},
        blocks.table(["chipset", "CSAT"], [["Helio G35", Number(61.0, "61 %")]], caption="By chipset"),
        blocks.context_line("since Monday"),
        blocks.divider(),
        blocks.actions(
            blocks.button("Halt", "release:halt", "R12", "danger", blocks.confirmation("Halt?", "Nobody new", "Halt"))
        ),
    ),
)


def test_escaped_words_cannot_ping_a_channel() -> None:
    assert blocks.escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_clipping_never_cuts_an_escaped_character_in_two() -> None:
    assert blocks.clip("abc&lt;def", 6) == "abc…"
    assert blocks.clip("abcdef", 6) == "abcdef"


@pytest.mark.parametrize("level", [0, 1, 2, 3])
def test_every_level_of_a_report_is_something_slack_takes(level: int) -> None:
    accepted(blocks.degrade(REPORT, level))


def test_degrading_drops_the_chart_first_when_a_table_says_the_same() -> None:
    kinds = [block["type"] for block in blocks.degrade(REPORT, 1).blocks]

    assert "data_visualization" not in kinds
    assert kinds.count("table") == 1


def test_a_chart_alone_becomes_a_table() -> None:
    chart = blocks.bar_chart("CSAT", ["a", "b"], {"CSAT": [1.0, 2.5]})
    assert chart is not None

    (table,) = blocks.degrade(Message(text="x", blocks=(chart,)), 1).blocks

    assert [[cell["text"] for cell in row] for row in table["rows"]] == [["–", "CSAT"], ["a", "1"], ["b", "2.5"]]


def test_a_table_as_text_still_says_every_cell_and_escapes_it() -> None:
    table = blocks.table(["who"], [["<!here>"]], caption="People")

    said = blocks.degrade(Message(text="x", blocks=(table,)), 2)

    assert "&lt;!here&gt;" in said.blocks[0]["text"]["text"]
    assert "&lt;!here&gt;" in blocks.degrade(Message(text="x", blocks=(table,)), 3).text


def test_a_message_is_never_without_words() -> None:
    assert Message(text="", blocks=(blocks.section("hello"),)).text == "hello"
    assert Message(text=" ").text == "Done."


def test_a_message_that_is_too_long_keeps_its_buttons_and_says_what_is_missing() -> None:
    many = [blocks.section("x" * 900) for _ in range(60)]
    message = Message(text="long", blocks=(*many, REPORT.blocks[-1]))

    assert len(message.blocks) <= limits.MESSAGE_BLOCKS
    assert message.blocks[-1]["type"] == "actions"
    assert "more that Slack has no room for" in message.blocks[-2]["elements"][0]["text"]
    accepted(message)


def test_sections_headers_and_buttons_are_clipped_to_their_limits() -> None:
    accepted(
        Message(
            text="x" * 20_000,
            blocks=(
                blocks.header("h" * 400),
                blocks.section("s" * 4_000),
                blocks.section("", fields=[f"f{i}" * 1_500 for i in range(3)]),
                blocks.actions(blocks.button("b" * 100, "release:show", "R1")),
            ),
        )
    )


def test_too_many_fields_end_with_how_many_more() -> None:
    block = blocks.section("", fields=[str(number) for number in range(14)])

    assert len(block["fields"]) == 10
    assert block["fields"][-1]["text"] == "… and 5 more"


def test_a_long_table_says_how_many_rows_are_left_out() -> None:
    block = blocks.table(["n"], [[str(number)] for number in range(150)], caption="Numbers")

    assert len(block["rows"]) == 101
    assert block["caption"] == "Numbers, and 50 more"


def test_a_table_of_uneven_rows_is_refused_before_slack_sees_it() -> None:
    with pytest.raises(ValueError, match="as wide as its head"):
        blocks.table(["a", "b"], [["1"]], caption="x")


def test_a_chart_keeps_to_twenty_distinct_categories() -> None:
    chart = blocks.bar_chart("CSAT", [f"a very long chipset name {n}" for n in range(30)], {"CSAT": [1.0] * 30})

    assert chart is not None
    categories = chart["chart"]["axis_config"]["categories"]
    assert len(categories) == len(set(categories)) == 20
    assert [point["label"] for point in chart["chart"]["series"][0]["data"]] == categories
    accepted(Message(text="x", blocks=(chart,)))


def test_nothing_to_draw_is_no_chart() -> None:
    assert blocks.bar_chart("CSAT", [], {}) is None


def test_two_buttons_of_one_id_are_refused() -> None:
    same = blocks.button("a", "release:show", "R1")

    with pytest.raises(ValueError, match="different action_ids"):
        blocks.actions(same, same)

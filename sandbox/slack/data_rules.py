"""The rules of tables and charts. Pure.

https://docs.slack.dev/reference/block-kit/blocks/data-table-block, …/table-block, …/data-visualization-block
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.slack.rich_text import RICH_TEXT
from sandbox.slack.rules import (
    Complaint,
    Complaints,
    Rule,
    array,
    boolean,
    both,
    constant,
    number,
    shape,
    string,
    typed,
    whatever,
)

COLUMNS = 20
ROWS = 100
CELLS_TEXT = 10_000
SERIES = 6
POINTS = 20
LABEL = 20
TITLE = 50

_PLAIN_CELLS: Mapping[str, Rule] = {
    "raw_text": shape({"type": whatever, "text": string(shortest=1)}),
    "raw_number": shape({"type": whatever, "text": string(shortest=1), "value": number()}),
}
_ROW = array(typed(lambda: {**_PLAIN_CELLS, "rich_text": RICH_TEXT}), fewest=1, most=COLUMNS)
_HEADING = array(typed(lambda: _PLAIN_CELLS), fewest=1, most=COLUMNS)
_COLUMN = shape({}, {"align": constant("left", "center", "right"), "is_wrapped": boolean})


def _heading_is_plain(value: object, at: str, complaints: Complaints) -> None:
    rows = value.get("rows") if isinstance(value, dict) else None
    if isinstance(rows, list) and rows:
        found: Complaints = []
        _HEADING(rows[0], f"{at}/rows/0", found)
        complaints.extend(complaint for complaint in found if complaint not in complaints)


def _even(value: object, at: str, complaints: Complaints) -> None:
    rows = value.get("rows") if isinstance(value, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        return
    if len({len(row) for row in rows}) > 1:
        complaints.append(Complaint("all rows must have the same number of cells", f"{at}/rows"))


def _cells_fit(value: object, at: str, complaints: Complaints) -> None:
    rows = value.get("rows") if isinstance(value, dict) else None
    if text_length(rows) > CELLS_TEXT:
        complaints.append(Complaint(f"cells must hold no more than {CELLS_TEXT} characters in all", f"{at}/rows"))


def text_length(value: object) -> int:
    """The characters of every `text` anywhere inside."""
    match value:
        case dict():
            own = value.get("text")
            length = len(own) if isinstance(own, str) else 0
            return length + sum(text_length(part) for part in value.values() if isinstance(part, dict | list))
        case list():
            return sum(text_length(part) for part in value)
        case _:
            return 0


TABLE = both(
    shape(
        {"type": whatever, "rows": array(_ROW, fewest=1, most=ROWS)},
        {"block_id": string(longest=255), "column_settings": array(_COLUMN, most=COLUMNS)},
    ),
    _cells_fit,
)
DATA_TABLE = both(
    shape(
        # The first row is the heading.
        {"type": whatever, "caption": string(shortest=1), "rows": array(_ROW, fewest=2, most=ROWS + 1)},
        {"block_id": string(longest=255), "page_size": number(least=1, most=100, whole=True),
         "row_header_column_index": number(least=0, most=COLUMNS - 1, whole=True)},
    ),
    _heading_is_plain,
    _even,
    _cells_fit,
)  # fmt: skip

_POINT = shape({"label": string(longest=LABEL, shortest=1), "value": number()})
_SEGMENT = shape({"label": string(longest=LABEL, shortest=1), "value": number(least=0)})
_SERIES = shape({"name": string(longest=LABEL, shortest=1), "data": array(_POINT, fewest=1, most=POINTS)})
_AXES = shape(
    {"categories": array(string(longest=LABEL, shortest=1), fewest=1, most=POINTS)},
    {"x_label": string(longest=TITLE), "y_label": string(longest=TITLE)},
)


def _series_match(value: object, at: str, complaints: Complaints) -> None:
    """Names differ, and every series has one point for each category."""
    if not isinstance(value, dict) or not isinstance(series := value.get("series"), list):
        return
    lines = [line for line in series if isinstance(line, dict)]
    names = [line.get("name") for line in lines]
    if any(names.count(name) > 1 for name in names):
        complaints.append(Complaint("series names must be unique", f"{at}/series"))
    axes = value.get("axis_config")
    categories = axes.get("categories") if isinstance(axes, dict) else None
    if not isinstance(categories, list):
        return
    for place, line in enumerate(lines):
        points = line.get("data")
        labels = [point.get("label") for point in points if isinstance(point, dict)] if isinstance(points, list) else []
        if sorted(map(str, labels)) != sorted(map(str, categories)):
            complaints.append(Complaint("labels must match the categories of axis_config", f"{at}/series/{place}/data"))


_XY = both(
    shape({"type": whatever, "series": array(_SERIES, fewest=1, most=SERIES), "axis_config": _AXES}), _series_match
)
CHARTS: Mapping[str, Rule] = {
    "pie": shape({"type": whatever, "segments": array(_SEGMENT, fewest=1, most=SERIES)}),
    "bar": _XY,
    "line": _XY,
    "area": _XY,
}
CHART_BLOCK = shape(
    {"type": whatever, "title": string(longest=TITLE, shortest=1), "chart": typed(lambda: CHARTS)},
    {"block_id": string(longest=255)},
)

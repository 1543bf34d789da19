"""What Jira Cloud v3 refuses, in its own words: fields of an issue, documents, properties. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

SUMMARY_CHARACTERS = 255
TEXT_CHARACTERS = 32_767
LABEL_CHARACTERS = 255
PROPERTY_BYTES = 32_768
PROPERTY_KEY_CHARACTERS = 255
GLOBAL_ID_CHARACTERS = 255
FIELDS = frozenset(
    {"project", "issuetype", "summary", "description", "labels", "priority", "assignee", "parent", "components"}
)

NOT_ADF = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
TOO_LONG = "The entered text is too long. It exceeds the allowed limit of 32,767 characters."

INLINE = frozenset({"text", "hardBreak", "emoji", "mention", "date", "status", "inlineCard"})
_BLOCKS = frozenset({"paragraph", "bulletList", "orderedList", "codeBlock", "rule"})
_IN_CELL = _BLOCKS | {"heading", "panel", "blockquote"}
CHILDREN: Mapping[str, frozenset[str]] = {
    "doc": _IN_CELL | {"table", "expand"},
    "paragraph": INLINE,
    "heading": INLINE,
    "panel": _BLOCKS | {"heading"},
    "blockquote": _BLOCKS - {"rule"},
    "bulletList": frozenset({"listItem"}),
    "orderedList": frozenset({"listItem"}),
    "listItem": _BLOCKS - {"rule"},
    "codeBlock": frozenset({"text"}),
    "table": frozenset({"tableRow"}),
    "tableRow": frozenset({"tableCell", "tableHeader"}),
    "tableCell": _IN_CELL,
    "tableHeader": _IN_CELL,
    "expand": _IN_CELL | {"table"},
    **{leaf: frozenset() for leaf in (*INLINE, "rule")},
}
NEEDS_CONTENT = frozenset({"bulletList", "orderedList", "listItem", "panel", "blockquote", "table", "expand"})
NEEDS_ATTRS: Mapping[str, str] = {"heading": "level", "panel": "panelType", "status": "text", "inlineCard": "url"}
MARKS = frozenset(
    {"strong", "em", "code", "link", "strike", "underline", "subsup", "textColor", "backgroundColor", "annotation"}
)


def check_fields(
    fields: Mapping[str, Any],
    *,
    project: str,
    issue_types: Mapping[str, str],
    creating: bool,
    check_text: Callable[[object], str | None] | None = None,
) -> dict[str, str]:
    """Return field → complaint. `issue_types` maps ids to names; `check_text` looks at the description."""
    errors = {
        name: f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
        for name in fields
        if name not in FIELDS
    }
    if creating:
        errors |= _check_place(fields, project, issue_types)
    if creating or "summary" in fields:
        errors |= _check_summary(fields.get("summary"))
    if fields.get("description") is not None:
        complaint = (check_text or check_document)(fields["description"])
        errors |= {"description": complaint} if complaint else {}
    return errors | _check_labels(fields.get("labels"))


def _check_place(fields: Mapping[str, Any], project: str, issue_types: Mapping[str, str]) -> dict[str, str]:
    errors = {}
    place, kind = fields.get("project"), fields.get("issuetype")
    if not isinstance(place, dict) or not ({"key", "id"} & place.keys()):
        errors["project"] = "Specify a valid project ID or key"
    elif place.get("key", project) != project:
        errors["project"] = "valid project is required"
    if not isinstance(kind, dict) or not ({"name", "id"} & kind.keys()):
        errors["issuetype"] = "Specify an issue type"
    elif kind.get("name") not in issue_types.values() and str(kind.get("id")) not in issue_types:
        errors["issuetype"] = "Specify a valid issue type"
    return errors


def _check_summary(summary: object) -> dict[str, str]:
    if not isinstance(summary, str):
        return {"summary": "Operation value must be a string" if summary is not None else "Summary is required."}
    if not summary.strip():
        return {"summary": "You must specify a summary of the issue."}
    if "\n" in summary or "\r" in summary:
        return {"summary": "The summary is invalid because it contains newline characters."}
    if len(summary) > SUMMARY_CHARACTERS:
        return {"summary": "Summary can't exceed 255 characters."}
    return {}


def _check_labels(labels: object) -> dict[str, str]:
    if labels is None:
        return {}
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        return {"labels": "data was not an array"}
    for label in labels:
        if " " in label:
            return {"labels": f"The label '{label}' contains spaces which is invalid."}
        if not label or len(label) > LABEL_CHARACTERS:
            return {"labels": f"The label '{label}' exceeds the maximum length for a single label of 255 characters."}
    return {}


def check_document(document: object) -> str | None:
    """Return the complaint about a description or comment body, None when it is a proper document."""
    if not isinstance(document, dict) or document.get("type") != "doc" or document.get("version") != 1:
        return NOT_ADF
    if not _is_proper(document):
        return NOT_ADF
    if len(json.dumps(document, ensure_ascii=False, separators=(",", ":"))) > TEXT_CHARACTERS:
        return TOO_LONG
    return None


def _is_proper(node: object) -> bool:
    if not isinstance(node, dict) or node.get("type") not in CHILDREN:
        return False
    kind = str(node["type"])
    content = node.get("content", [])
    if not isinstance(content, list) or (kind in NEEDS_CONTENT and not content):
        return False
    if kind == "text" and not (isinstance(node.get("text"), str) and node["text"] and _are_marks(node.get("marks"))):
        return False
    if kind in NEEDS_ATTRS and NEEDS_ATTRS[kind] not in (node.get("attrs") or {}):
        return False
    return all(_is_proper(child) and child["type"] in CHILDREN[kind] for child in content)


def _are_marks(marks: object) -> bool:
    if marks is None:
        return True
    return isinstance(marks, list) and all(
        isinstance(mark, dict)
        and mark.get("type") in MARKS
        and (mark["type"] != "link" or isinstance((mark.get("attrs") or {}).get("href"), str))
        for mark in marks
    )


def check_markup(document: object) -> str | None:
    """Return the complaint about a description or comment of Data Center."""
    if not isinstance(document, str):
        return "Operation value must be a string"
    return TOO_LONG if len(document) > TEXT_CHARACTERS else None


def check_property(key: object, value: object) -> str | None:
    if not isinstance(key, str) or not key:
        return "The property key must not be empty."
    if len(key) > PROPERTY_KEY_CHARACTERS:
        return "The property key length must not exceed 255 characters."
    if value is None:
        return "The property value must not be empty."
    if len(json.dumps(value).encode()) > PROPERTY_BYTES:
        return "The property value must not exceed 32768 characters."
    return None


def check_link(body: Mapping[str, Any]) -> dict[str, str]:
    errors = {}
    target = body.get("object")
    if not isinstance(target, dict):
        return {"object": "'object' is required."}
    if not target.get("title"):
        errors["title"] = "'title' is required."
    if not str(target.get("url") or "").startswith(("http://", "https://")):
        errors["url"] = "Invalid URL."
    if len(str(body.get("globalId") or "")) > GLOBAL_ID_CHARACTERS:
        errors["globalId"] = "'globalId' must not exceed 255 characters."
    return errors

"""As much JQL as Jira's users type: comparisons, AND, OR, NOT, parentheses, ORDER BY. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]
Matcher = Callable[[Facts], bool]

FIELDS = frozenset({"project", "key", "issue", "id", "labels", "status", "statuscategory", "summary", "text"})
SORTED_BY = frozenset({"key", "created", "updated", "id"})
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<op>!=|!~|=|~|\(|\)|,)|(?P<word>[^\s=!~(),"']+))"""
)
_UNBOUNDED = "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."


class JqlError(ValueError):
    """The query is not understood; the message reads as Jira's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    matches: Matcher
    order: tuple[tuple[str, bool], ...]

    def sorted(self, issues: Sequence[Facts]) -> list[Facts]:
        """Sort by the query's order, the last named field first."""
        found = list(issues)
        for name, descending in reversed(self.order):
            found.sort(key=lambda issue: _rank(issue, name), reverse=descending)
        return found


def parse(jql: str) -> Query:
    """Raises: JqlError: not understood, or not bounded by any restriction."""
    return _Parser(_tokens(jql)).query()


def _tokens(jql: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    while jql[position:].strip():
        match = _TOKEN.match(jql, position)
        if match is None:
            raise JqlError(f"Error in the JQL Query: the character '{jql[position:].strip()[0]}' is not expected here.")
        kind = str(match.lastgroup)
        text = match[kind]
        tokens.append((kind, re.sub(r"\\(.)", r"\1", text[1:-1]) if kind == "string" else text))
        position = match.end()
    return tokens


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    def query(self) -> Query:
        matches: Matcher | None = None
        if not self._is_word("order") and self._at < len(self._tokens):
            matches = self._either()
        order = self._order()
        if self._at < len(self._tokens):
            raise JqlError(f"Error in the JQL Query: Expecting 'AND', 'OR' or 'ORDER BY' but got '{self._peek()[1]}'.")
        if matches is None:
            raise JqlError(_UNBOUNDED)
        return Query(matches=matches, order=order)

    def _either(self) -> Matcher:
        first = self._both()
        while self._take_word("or"):
            first = _or(first, self._both())
        return first

    def _both(self) -> Matcher:
        first = self._one()
        while self._take_word("and"):
            first = _and(first, self._one())
        return first

    def _one(self) -> Matcher:
        if self._take_word("not"):
            return _not(self._one())
        if self._peek() == ("op", "("):
            self._next()
            inner = self._either()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Matcher:
        field = self._next()[1].lower()
        if field not in FIELDS:
            raise JqlError(f"Field '{field}' does not exist or you do not have permission to view it.")
        operator = self._next()[1].lower()
        if operator == "is":
            negated = self._take_word("not")
            if not (self._take_word("empty") or self._take_word("null")):
                raise JqlError("Error in the JQL Query: Expecting 'EMPTY' after 'is'.")
            return _not(_is_empty(field)) if negated else _is_empty(field)
        if operator == "not" and self._take_word("in"):
            return _not(_among(field, self._list()))
        if operator == "in":
            return _among(field, self._list())
        if operator in ("=", "!=", "~", "!~"):
            value = self._next()[1]
            matcher = _contains(field, value) if "~" in operator else _among(field, [value])
            # As in Jira, "labels != x" leaves out what has no labels at all.
            return _and(_not(matcher), _not(_is_empty(field))) if operator.startswith("!") else matcher
        raise JqlError(f"Error in the JQL Query: Expecting operator but got '{operator}'.")

    def _list(self) -> list[str]:
        self._expect("(")
        values = [self._next()[1]]
        while self._peek() == ("op", ","):
            self._next()
            values.append(self._next()[1])
        self._expect(")")
        return values

    def _order(self) -> tuple[tuple[str, bool], ...]:
        if not self._take_word("order"):
            return ()
        if not self._take_word("by"):
            raise JqlError("Error in the JQL Query: Expecting 'BY' after 'ORDER'.")
        named = [self._sorted_by()]
        while self._peek() == ("op", ","):
            self._next()
            named.append(self._sorted_by())
        return tuple(named)

    def _sorted_by(self) -> tuple[str, bool]:
        name = self._next()[1].lower()
        if name not in SORTED_BY:
            raise JqlError(f"Field '{name}' does not exist or you do not have permission to sort by it.")
        descending = self._take_word("desc")
        if not descending:
            self._take_word("asc")
        return name, descending

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "the end of the query")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        if token[0] == "end":
            raise JqlError("Error in the JQL Query: the query ends too early.")
        self._at += 1
        return token

    def _expect(self, text: str) -> None:
        if self._next() != ("op", text):
            raise JqlError(f"Error in the JQL Query: Expecting '{text}'.")

    def _is_word(self, word: str) -> bool:
        kind, text = self._peek()
        return kind == "word" and text.lower() == word

    def _take_word(self, word: str) -> bool:
        if self._is_word(word):
            self._at += 1
            return True
        return False


def _values(issue: Facts, field: str) -> list[str]:
    if field == "labels":
        return list(issue["labels"])
    if field == "text":
        return [f"{issue['summary']} {issue['text']}"]
    name = {"issue": "key", "statuscategory": "category"}.get(field, field)
    value = issue.get(name)
    return [] if value is None else [str(value)]


def _among(field: str, values: Sequence[str]) -> Matcher:
    wanted = {value.lower() for value in values}
    return lambda issue: any(value.lower() in wanted for value in _values(issue, field))


def _contains(field: str, value: str) -> Matcher:
    return lambda issue: any(value.lower() in each.lower() for each in _values(issue, field))


def _is_empty(field: str) -> Matcher:
    return lambda issue: not _values(issue, field)


def _not(inner: Matcher) -> Matcher:
    return lambda issue: not inner(issue)


def _and(left: Matcher, right: Matcher) -> Matcher:
    return lambda issue: left(issue) and right(issue)


def _or(left: Matcher, right: Matcher) -> Matcher:
    return lambda issue: left(issue) or right(issue)


def _rank(issue: Facts, name: str) -> Any:
    return int(issue["key"].rpartition("-")[2]) if name == "key" else issue[name]

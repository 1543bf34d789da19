"""The reader of segments as people type them; core/segment_rules.py says what they mean.

    rule       = part { "or" part }            part = factor { "and" factor }
    factor     = "not" factor | "(" rule ")" | "everyone" | comparison
    comparison = field ( = != < <= > >= | "contains" | "starts_with" | "ends_with" ) value
               | field [ "not" ] "in" "(" value { "," value } ")"

A value with spaces or signs is quoted. After a mistake reading goes on at the next "and" or "or", so that all mistakes
are told at once. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from core.errors import InvalidInputError, Problem
from core.segment_rules import EVERYONE, MAX_DEPTH, PARTS, Is, Not, Segment, all_of, any_of, comparison

MAX_TEXT_CHARS: Final = 2000
_TOKENS = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
    r"""|(?P<sign>==|!=|<=|>=|[=<>(),≠≤≥])|(?P<word>[^\s(),=<>!"'≠≤≥]+)|(?P<other>\S))"""
)
_OPERATORS: Final = {"=": "eq", "==": "eq", "!=": "neq", "≠": "neq", "<": "lt", ">": "gt"} | {
    "<=": "lte",
    "≤": "lte",
    ">=": "gte",
    "≥": "gte",
}
_PLAIN_QUOTES: Final = str.maketrans("\u201c\u201d\u201e\u2018\u2019", '"""\'\'')
_JOINS: Final = frozenset({"and", "or"})
_EXPECTED: Final = "expected =, !=, <, <=, >, >=, in, not in, contains, starts_with or ends_with"


def parse(text: str) -> Segment:
    """Read `platform=android and ram_gb<4 and accelerator in (nnapi, gpu) and not country=DE`; blank is everyone.

    Raises: InvalidInputError: with every mistake and the character at which it stands.
    """
    if len(text) > MAX_TEXT_CHARS:
        raise InvalidInputError(Problem("", f"a rule has at most {MAX_TEXT_CHARS} characters"))
    tokens = _tokens(text.translate(_PLAIN_QUOTES))
    if not tokens:
        return EVERYONE
    reader = _Reader(tokens, len(text) + 1)
    segment = reader.whole()
    if reader.problems:
        raise InvalidInputError(*reader.problems)
    return segment


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int

    @property
    def said(self) -> str:
        return self.text if self.kind == "end" else repr(self.text)

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.lower() in words


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for found in _TOKENS.finditer(text):
        kind = str(found.lastgroup)
        words = found[kind]
        if kind == "quoted":
            words = re.sub(r"\\(.)", r"\1", words[1:-1])
        tokens.append(_Token(kind, words, found.start(kind) + 1))
    return tokens


class _MistakeError(Exception):
    """Reading cannot go on here; the problem is noted already."""


class _Reader:
    """Reads tokens from left to right; `problems` collects what was wrong."""

    def __init__(self, tokens: list[_Token], end: int) -> None:
        self._tokens = tokens
        self._next = 0
        self._open = 0
        self._end = _Token("end", "the end", end)
        self.problems: list[Problem] = []

    def whole(self) -> Segment:
        segment = self._rule(0)
        while self._peek().kind != "end":
            self._note(self._peek(), f"{self._peek().text!r} is not expected here; join rules with and/or")
            self._skip()
            if self._peek().is_word(*_JOINS):
                self._take()
                self._rule(0)
            elif self._peek().kind != "end":
                self._take()
        return segment

    def _rule(self, depth: int) -> Segment:
        parts = [self._part(depth)]
        while self._peek().is_word("or"):
            self._take()
            parts.append(self._part(depth))
        return any_of(parts)

    def _part(self, depth: int) -> Segment:
        parts = [self._factor_or_skip(depth)]
        while self._peek().is_word("and"):
            self._take()
            parts.append(self._factor_or_skip(depth))
        return all_of(parts)

    def _factor_or_skip(self, depth: int) -> Segment:
        try:
            return self._factor(depth)
        except _MistakeError:
            self._skip()
            return EVERYONE

    def _factor(self, depth: int) -> Segment:
        token = self._peek()
        if depth > MAX_DEPTH:
            raise self._mistake(token, "is nested too deeply")
        if token.is_word("not"):
            self._take()
            return Not(self._factor(depth + 1))
        if token.kind == "sign" and token.text == "(":
            self._take()
            self._open += 1
            inner = self._rule(depth + 1)
            self._open -= 1
            self._expect(")")
            return inner
        if token.is_word("everyone"):
            self._take()
            return EVERYONE
        return self._comparison()

    def _comparison(self) -> Segment:
        name = self._peek()
        if name.kind not in ("word", "quoted") or name.is_word(*_JOINS):
            raise self._mistake(name, f"expected a field like platform, found {name.said}")
        self._take()
        sign = self._take()
        if sign.text in _OPERATORS:
            return self._checked(name, _OPERATORS[sign.text], [self._value()])
        if sign.is_word(*PARTS):
            return self._checked(name, sign.text.lower(), [self._value()])
        is_not = sign.is_word("not")
        if not (self._take() if is_not else sign).is_word("in"):
            raise self._mistake(sign, f"{_EXPECTED} after {name.text!r}, found {sign.said}")
        return self._checked(name, "not_in" if is_not else "in", self._values())

    def _checked(self, name: _Token, operator: str, values: list[str]) -> Segment:
        found = comparison(name.text, operator, values)
        if isinstance(found, Is):
            return found
        for message in found:
            self._note(name, message)
        return EVERYONE

    def _values(self) -> list[str]:
        self._expect("(")
        values = [self._value()]
        while self._peek().text == "," and self._peek().kind == "sign":
            self._take()
            values.append(self._value())
        self._expect(")")
        return values

    def _value(self) -> str:
        token = self._take()
        if token.kind == "other":
            raise self._mistake(token, "this quote is not closed")
        if token.kind not in ("word", "quoted"):
            raise self._mistake(token, f"expected a value, found {token.said}")
        if token.kind == "word" and self._peek().kind in ("word", "quoted") and not self._ends_value():
            raise self._mistake(token, f'put quotes round a value with spaces: "{token.text} {self._peek().text}"')
        return token.text

    def _ends_value(self) -> bool:
        return self._peek().is_word(*_JOINS)

    def _expect(self, sign: str) -> None:
        token = self._take()
        if token.kind != "sign" or token.text != sign:
            raise self._mistake(token, f"expected {sign!r}, found {token.said}")

    def _peek(self) -> _Token:
        return self._tokens[self._next] if self._next < len(self._tokens) else self._end

    def _take(self) -> _Token:
        token = self._peek()
        self._next += token is not self._end
        return token

    def _skip(self) -> None:
        while not (self._peek().kind == "end" or self._peek().is_word(*_JOINS) or self._closes()):
            self._take()

    def _closes(self) -> bool:
        return self._open > 0 and self._peek().kind == "sign" and self._peek().text == ")"

    def _mistake(self, token: _Token, message: str) -> _MistakeError:
        self._note(token, message)
        return _MistakeError(message)

    def _note(self, token: _Token, message: str) -> None:
        self.problems.append(Problem(f"at character {token.at}", message))

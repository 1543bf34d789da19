"""The one grammar: `<noun> [verb] [target] [key=value | --flag]…`, the same in Slack, threads and the terminal.

Smart quotes and long dashes that Slack makes are read as plain ones; other tools' words are understood and answered
with ours; a word nobody knows gets a did-you-mean. Pure.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from bot.words import BY_NAME, ID_NOUNS, NOUN_SYNONYMS, NOUNS, Noun
from core.errors import InvalidInputError, Problem

_OPTION = re.compile(r"([a-z][a-z0-9_-]*)=(.*)", re.DOTALL | re.IGNORECASE)
_FLAG = re.compile(r"--([a-z][a-z0-9-]*)(?:=(.*))?", re.DOTALL | re.IGNORECASE)
_SHORT_ID = re.compile(r"([rpj])(\d{1,9})", re.IGNORECASE)
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("“”„‟«»", '"'),
        **dict.fromkeys("‘’‚", "'"),
        **dict.fromkeys("\u00a0\u202f", " "),
        **dict.fromkeys("\u2011\u2212", "-"),
        **dict.fromkeys("\ufe0f\u200b", None),
    }
)
# What Slack makes of mentions and links: <@U1|dana>, <#C1|general>, <https://x|x>.
_MENTION = re.compile(r"<([@#])([A-Z0-9]+)(?:\|[^>]*)?>")
_LINK = re.compile(r"<((?:https?|mailto):[^>|]+)(?:\|[^>]*)?>")
_LONG_FLAG = re.compile(r"(^|\s)[–—](?=[a-zA-Z])")
MAX_LINE = 4_000
NO_VALUE = "-"  # Slack leaves an empty value out of what it sends


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One understood line. `notes` say which of our words stand for the ones typed; `words` follow the target."""

    noun: str
    verb: str
    target: str | None = None
    words: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    flags: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()

    @property
    def is_change(self) -> bool:
        return self.verb in BY_NAME[self.noun].changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A word we do not know; `line` is what was probably meant, when anything comes close."""

    word: str
    line: str | None


@dataclass(frozen=True, slots=True)
class Token:
    text: str
    quoted: bool = False


def parse(text: str) -> Command | Unknown:
    """Raises: InvalidInputError: a quote is not closed, an option is given twice or the line is too long."""
    tokens = tokenize(text)
    if not tokens:
        return Command(noun="help", verb="show")
    first, rest = tokens[0], tokens[1:]
    if match := _SHORT_ID.fullmatch(first.text):
        noun = BY_NAME[ID_NOUNS[match[1].lower()]]
        return _command(noun, [Token("show"), Token(first.text.upper()), *rest], ())
    word = first.text.lower()
    if word in BY_NAME:
        return _command(BY_NAME[word], rest, ())
    if word in NOUN_SYNONYMS:
        ours = NOUN_SYNONYMS[word]
        return _command(BY_NAME[ours], rest, (_note(word, ours),))
    return Unknown(word=first.text, line=_guess(word, rest))


def tokenize(text: str) -> list[Token]:
    """Split at spaces outside quotes; a quote opens at the start of a word or right after `key=`."""
    line = plain(text)
    if len(line) > MAX_LINE:
        raise InvalidInputError(Problem("", f"the command is longer than {MAX_LINE} characters"))
    tokens: list[Token] = []
    current, quote, quoted, escaped = "", "", False, False
    for character in line:
        if escaped:
            current, escaped = current + character, False
        elif quote and character == "\\":
            escaped = True
        elif quote:
            if character == quote:
                quote = ""
            else:
                current += character
        elif character in "\"'" and (not current or current.endswith("=")):
            quote, quoted = character, True
        elif character.isspace():
            if current or quoted:
                tokens.append(Token(current, quoted))
            current, quoted = "", False
        else:
            current += character
    if quote:
        raise InvalidInputError(
            Problem("", f"a quote {quote} is opened but not closed: put one at the end of the value")
        )
    if current or quoted:
        tokens.append(Token(current, quoted))
    return tokens


def plain(text: str) -> str:
    """Undo what Slack and phones' keyboards do to a typed line."""
    text = _LINK.sub(r"\1", _MENTION.sub(r"\1\2", text)).translate(_PLAIN)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = _LONG_FLAG.sub(r"\1--", text)
    return text.replace("–", "-").replace("—", "-").strip()


def quote(value: str) -> str:
    """Write a value so that `parse` reads it back; smart quotes and long dashes become plain ones, as everywhere."""
    value = value.translate(_PLAIN).replace("–", "-").replace("—", "-")
    if value and not re.search(r"[\s\"'\\]", value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def line(command: Command) -> str:
    """The command as one would type it, in our words."""
    noun = BY_NAME[command.noun]
    parts = [noun.name] if _verb_unsaid(command) else [noun.name, command.verb]
    parts += [quote(word) for word in ([command.target] if command.target else []) + list(command.words)]
    parts += [f"{key}={quote(value)}" for key, value in command.options.items()]
    return " ".join([*parts, *(f"--{flag}" for flag in sorted(command.flags))])


def click(command: Command) -> tuple[str, str]:
    """The command as a button's action_id and value: `release:halt` and `R12`."""
    parts = line(command).split(" ", 1 if _verb_unsaid(command) else 2)
    return f"{command.noun}:{command.verb}", "".join(parts[1 if _verb_unsaid(command) else 2 :])


def clicked(action_id: str, value: str) -> str | None:
    """The line that a click means; None when the action_id is none of ours. What follows a second colon is a mark."""
    noun, _, rest = action_id.partition(":")
    verb = rest.partition(":")[0]
    if noun not in BY_NAME or verb not in BY_NAME[noun].verbs:
        return None
    return f"{noun} {verb} {'' if value == NO_VALUE else value}".strip()


def closest(word: str, known: object) -> str | None:
    """The known word that `word` was probably meant to be."""
    names = [str(name) for name in known] if isinstance(known, (list, tuple, set, frozenset, dict)) else []
    found = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    return found[0] if found else None


def _command(noun: Noun, tokens: list[Token], notes: tuple[str, ...]) -> Command | Unknown:
    options, flags, words = _sort_out(tokens)
    command = Command(noun=noun.name, verb=noun.default, options=options, flags=flags, notes=notes)
    if not words:
        return command
    first = words[0].text
    lowered = first.lower()
    if lowered in noun.verbs and not words[0].quoted:
        return _with_words(replace(command, verb=lowered), words[1:])
    if lowered in noun.synonyms and not words[0].quoted:
        ours = noun.synonyms[lowered]
        return _with_words(replace(command, verb=ours, notes=(*notes, _note(lowered, ours))), words[1:])
    return _without_verb(noun, command, words)


def _without_verb(noun: Noun, command: Command, words: list[Token]) -> Command | Unknown:
    first = words[0].text
    near = closest(first, [*noun.verbs, *noun.synonyms])
    if noun.bare is not None and (near is None or len(words) == 1):
        return _with_words(replace(command, verb=noun.bare), words)
    if _SHORT_ID.fullmatch(first):
        verb = words[1].text.lower() if len(words) > 1 else "show"
        verb = noun.synonyms.get(verb, verb)
        if verb in noun.verbs:
            return _with_words(replace(command, verb=verb), [words[0], *words[2:]])
    if near is None:
        return Unknown(word=first, line=f"help {noun.name}")
    meant = replace(command, verb=noun.synonyms.get(near, near), notes=())
    return Unknown(word=first, line=line(_with_words(meant, words[1:])))


def _with_words(command: Command, words: list[Token]) -> Command:
    texts = [word.text for word in words]
    target = texts[0] if texts else None
    if target is not None and _SHORT_ID.fullmatch(target):
        target = target.upper()
    return replace(command, target=target, words=tuple(texts[1:]))


def _sort_out(tokens: list[Token]) -> tuple[dict[str, str], frozenset[str], list[Token]]:
    options: dict[str, str] = {}
    flags: set[str] = set()
    words: list[Token] = []
    problems: list[Problem] = []
    for token in tokens:
        if flag := _FLAG.fullmatch(token.text):
            if flag[2] is None:
                flags.add(flag[1].lower())
                continue
            key, value = flag[1].lower().replace("-", "_"), flag[2]
        elif option := _OPTION.fullmatch(token.text):
            key, value = option[1].lower().replace("-", "_"), option[2]
        else:
            words.append(token)
            continue
        if key in options:
            problems.append(Problem(key, "is given twice; say it once"))
        options[key] = value
    if problems:
        raise InvalidInputError(*problems)
    return options, frozenset(flags), words


def _guess(word: str, rest: list[Token]) -> str | None:
    """What an unknown first word was probably meant to be, as a whole line."""
    for noun in _nouns_with(word, rest):  # a verb without its noun: "halt R12"
        return _corrected(noun, [Token(word), *rest])
    near = closest(word, [*BY_NAME, *NOUN_SYNONYMS])
    return None if near is None else _corrected(BY_NAME[NOUN_SYNONYMS.get(near, near)], rest)


def _verb_unsaid(command: Command) -> bool:
    noun = BY_NAME[command.noun]
    return len(noun.verbs) == 1 or (command.target is not None and command.verb == noun.bare)


def _nouns_with(verb: str, rest: list[Token]) -> list[Noun]:
    """The nouns that have this verb, the one that the id after it names first."""
    found = [noun for noun in NOUNS if len(noun.verbs) > 1 and (verb in noun.verbs or verb in noun.synonyms)]
    named = _SHORT_ID.fullmatch(rest[0].text) if rest else None
    return sorted(found, key=lambda noun: named is None or noun.name != ID_NOUNS[named[1].lower()])


def _corrected(noun: Noun, tokens: list[Token]) -> str:
    understood = _command(noun, tokens, ())
    if isinstance(understood, Unknown):
        return understood.line or f"help {noun.name}"
    return line(understood)


def _note(theirs: str, ours: str) -> str:
    return f"{theirs} is {ours} here"

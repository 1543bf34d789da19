"""The documentation is complete: every setting, decision, route, command and job kind is in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from bot import grammar
from bot.cli import main
from bot.flows.proposal import OPTIONS
from bot.poll_form import FIELDS
from bot.words import NOUNS, Noun
from bot.worker import JOBS
from core.settings import CLIENT, Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
COMMANDS = (DOCS / "commands.md").read_text()
TYPED = re.compile(r"`/muster ([^`<\[…]+(?:<\+[^`]*)?)`")
ROW = re.compile(r"^\| `muster ([^`]+)` \|.*\| ([^|]*) \|$", re.MULTILINE)


@pytest.mark.parametrize("each", fields(Settings), ids=lambda each: each.name)
def test_every_setting_is_documented_in_its_own_words(each: object) -> None:
    name, about = each.name, each.metadata["about"]  # type: ignore[attr-defined]
    rows = [line for line in (DOCS / "operating.md").read_text().splitlines() if f"| `MUSTER_{name.upper()}`" in line]

    assert len(rows) == 1
    assert about in rows[0]


def test_every_decision_has_a_number_of_its_own_and_stands_in_the_table() -> None:
    folder = DOCS / "adr"
    files = sorted(path.name for path in folder.glob("[0-9]*.md"))
    told = re.findall(r"^\| \[(\d+)\]\((\d{4}-[a-z0-9-]+\.md)\)", (folder / "README.md").read_text(), re.MULTILINE)

    assert [name for _, name in told] == files
    assert [int(number) for number, _ in told] == [int(name[:4]) for name in files]
    assert len({number for number, _ in told}) == len(files)
    assert all((folder / name).read_text().startswith(f"# {number}. ") for number, name in told)


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", page.read_text())

    assert [target for target in targets if not (page.parent / target).exists()] == []


def test_every_command_that_is_shown_is_understood_as_it_stands() -> None:
    typed = [found[1] for found in TYPED.finditer(COMMANDS)]
    read = {line: grammar.parse(line) for line in typed}

    assert len(typed) > 30
    assert [line for line, command in read.items() if isinstance(command, grammar.Unknown)] == []


@pytest.mark.parametrize("noun", NOUNS, ids=lambda noun: noun.name)
def test_every_verb_of_a_noun_is_shown(noun: Noun) -> None:
    read = [grammar.parse(found[1]) for found in TYPED.finditer(COMMANDS)]
    shown = {one.verb for one in read if isinstance(one, grammar.Command) and one.noun == noun.name}

    assert shown == set(noun.verbs)


@pytest.mark.parametrize("option", [*OPTIONS, *FIELDS])
def test_every_option_of_what_starts_a_release_or_makes_a_poll_is_explained(option: str) -> None:
    assert f"`{option}`" in COMMANDS


def test_every_command_of_the_shell_is_shown_with_its_options_and_no_other() -> None:
    shown = {}
    for found in ROW.finditer(COMMANDS):
        words = shlex.split(found[1])
        name = next(name for name in _known(words) if name in dict(_cli(main)))
        shown[name] = set(re.findall(r"--[a-z-]+", found[2]))
        assert set(re.findall(r"--[a-z-]+", found[1])) <= shown[name], name

    assert shown == dict(_cli(main))


def test_every_process_of_the_procfile_is_a_command() -> None:
    called = [line.partition(": muster ")[2] for line in (ROOT / "Procfile").read_text().splitlines()]

    assert called
    assert [each for each in called if each not in dict(_cli(main))] == []


def test_every_variable_of_the_shell_is_told_and_keeps_no_process_from_starting() -> None:
    read = {str(each.envvar) for command in _commands(main) for each in command.params if each.envvar}

    assert read == CLIENT
    assert [name for name in sorted(read) if f"| `{name}` |" not in (DOCS / "operating.md").read_text()] == []


def test_every_option_of_the_shell_says_what_it_is_and_which_variable_it_reads() -> None:
    options = [each for command in _commands(main) for each in command.params if isinstance(each, click.Option)]

    assert len(options) > 50
    assert [each.opts[0] for each in options if not each.help or (each.envvar and not each.show_envvar)] == []


def test_every_kind_of_job_is_told_and_no_other() -> None:
    section = (DOCS / "operating.md").read_text().partition("## Jobs")[2].partition("## ")[0]

    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(JOBS)


def _cli(group: click.Group, *above: str) -> Iterator[tuple[str, set[str]]]:
    """Yield each command with its options, groups left out."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _cli(command, *above, name)
        else:
            options = {opt for each in command.params if isinstance(each, click.Option) for opt in each.opts}
            yield " ".join([*above, name]), options


def _commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield from _commands(command) if isinstance(command, click.Group) else [command]


def _known(words: list[str]) -> list[str]:
    """Return what may be the command's name: its first two words, or its first."""
    return [" ".join(words[:2]), words[0]]

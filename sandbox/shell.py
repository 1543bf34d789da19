"""`muster shell`: the demo's world in a terminal. Type commands as somebody, press buttons, read what comes back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from typing import IO

import requests

from core.errors import AppError
from sandbox import acting, scenario
from sandbox.acting import Stage
from sandbox.play import Player
from sandbox.running_world import open_world, stoppable
from sandbox.script import Live
from sandbox.teller import Quiet, Terminal, plain
from sandbox.tour import HURRY

QUIET_S = 0.8
LONGEST_S = 8.0
LOOK_EVERY_S = 0.1
HELP = """\
Type a command: release list, feedback kws by=chipset since=1d, help …   (with or without /muster)
  :as Mia            act as Mia (Dana, Mia, Tom, Pam)          :in #app-feedback   speak there
  :press Approve     press the newest button of that name      :live 6             let phones live six hours
  :switch jira_down on|off|<number>                            :tickets            what stands in Jira
  :say hello         a message instead of a command            :quit
"""


class Shell:
    """Reads lines, acts on them and prints what the app says to the person who acts, or to everybody."""

    def __init__(self, stage: Stage, out: IO[str], *, live: Callable[[int], None]) -> None:
        self.who = "Dana"
        self.place = "#model-releases"
        self._stage = stage
        self._out = out
        self._live = live
        self._seen: set[tuple[str, str, str]] = set()

    @property
    def prompt(self) -> str:
        return f"{self.who} in {self.place}> "

    def obey(self, line: str) -> bool:
        """Do what one line says; False when it says to stop. Mistakes are told, not raised."""
        line = line.strip()
        try:
            return self._obey(line)
        except AppError as error:
            self._print(error.message)
        except (requests.RequestException, ValueError) as error:
            self._print(f"that did not work: {error}")
        return True

    def _obey(self, line: str) -> bool:
        if not line.startswith(":"):
            if line:
                self._told(self._stage.say(self.who, self.place, f"/muster {line.removeprefix('/muster').strip()}"))
            return True
        word, _, rest = line[1:].partition(" ")
        rest = rest.strip()
        match word:
            case "quit" | "q" | "exit":
                return False
            case "as":
                acting.person(self._stage.state(), rest)
                self.who = rest.lstrip("@").capitalize()
            case "in":
                state = self._stage.state()
                acting.channel(state, rest, acting.person(state, self.who))
                self.place = rest
            case "say":
                self._told(self._stage.say(self.who, self.place, rest))
            case "press":
                self._press(rest)
            case "live":
                self._live(int(rest or 1))
                self.listen()
            case "switch":
                name, _, value = rest.partition(" ")
                self._stage.switch({name: _value(value.strip())})
            case "tickets":
                for ticket in self._stage.state()["jira"]:
                    self._print(f"{ticket['key']}  {ticket['status']}  {ticket['summary']}")
            case _:
                self._print(HELP)
        return True

    def listen(self) -> None:
        """Print what is new, until nothing has come for a moment."""
        deadline, quiet_at = time.monotonic() + LONGEST_S, time.monotonic() + 3 * QUIET_S
        while time.monotonic() < min(deadline, quiet_at):
            if self._show_news():
                quiet_at = time.monotonic() + QUIET_S
            time.sleep(LOOK_EVERY_S)

    def _press(self, button: str) -> None:
        answer = self._stage.click(self.who, self.place, button)
        if answer is None:
            self._print(f"{self.who} sees no button {button!r} in {self.place}")
        else:
            self._told(answer)

    def _told(self, answer: acting.Json) -> None:
        if not answer["ok"]:
            self._print(f"Slack says: {answer['status']} {answer['body']}")
        self.listen()

    def _show_news(self) -> bool:
        state = self._stage.state()
        people = {each["id"]: each["name"] for each in state["users"]}
        me = acting.person(state, self.who)
        found = False
        for message in acting.messages(state, None, me):
            known = (message["channel"], message["ts"], message["text"])
            if known in self._seen:
                continue
            self._seen.add(known)
            if people.get(message["user"]) not in ("Dana", "Mia", "Tom", "Pam"):
                self._show(state, message)
                found = True
        return found

    def _show(self, state: acting.State, message: acting.Json) -> None:
        where = next((each["name"] for each in state["channels"] if each["id"] == message["channel"]), "?")
        only = " (only you see it)" if message["ephemeral_to"] else ""
        self._print(f"\n[#{where}{only}]")
        self._print(plain(acting.spelled(state, "\n".join(acting.lines(message)))))
        if names := acting.buttons(message):
            self._print("   " + "  ".join(f"[{name}]" for name in names))

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)


def main() -> int:
    """Start the demo's world and talk with it until end of input."""
    story = scenario.load(scenario.FOLDER / "tour.yaml")
    print("Starting web, worker and bot …", flush=True)
    with stoppable():
        try:
            with open_world(at=story.start, env=HURRY) as demo:
                player = Player(story, demo.place, Terminal())
                player.furnish()
                player.live(Live(length=timedelta(hours=24), every=timedelta(hours=24)))
                player.hear(Quiet())
                shell = Shell(
                    player.stage, sys.stdout, live=lambda n: player.live(Live(length=timedelta(hours=n), pause_s=1.2))
                )
                print(f"{HELP}The same world as a page: {demo.place.sandbox}\n", flush=True)
                _talk(shell)
        except KeyboardInterrupt:
            print()
        except AppError as error:
            print(f"muster shell: {error.message}", file=sys.stderr)
            return 1
    return 0


def _talk(shell: Shell) -> None:
    while True:
        try:
            line = input(shell.prompt)
        except EOFError:
            return
        if not shell.obey(line):
            return


def _value(text: str) -> bool | float:
    if text.lower() in ("on", "true", "off", "false"):
        return text.lower() in ("on", "true")
    return int(text) if text.isdigit() else float(text)

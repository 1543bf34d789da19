"""Plays a scenario against a running world, over the wire only: as people, as phones, and as whoever breaks things."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, assert_never

from core.errors import AppError
from optimize import fixtures
from sandbox import acting, tiny_onnx
from sandbox.acting import Stage
from sandbox.conditions import View, claim, lacks
from sandbox.faults import in_words
from sandbox.fleet import Fleet
from sandbox.script import (
    Act,
    Click,
    Condition,
    Deliver,
    Expect,
    Live,
    ModelFile,
    PushPoll,
    Register,
    Said,
    Say,
    Scenario,
    SendAgain,
    Step,
    Switch,
)
from sandbox.service import Service
from sandbox.wire import HttpTransport

LOOK_EVERY_S = 0.2
RUNTIME = "onnxruntime"
ADMIN = "Tom"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a world is and what opens it. `stored` counts the answers its database holds."""

    web: str
    sandbox: str
    public_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    app: str
    stored: Callable[[], int]


class Teller(Protocol):
    """Who tells what happens; the terminal, the page, or nobody."""

    def step(self, number: int, of: int, step: Step) -> None: ...
    def did(self, what: str) -> None: ...
    def heard(self, where: str, what: str) -> None: ...
    def failed(self, what: str) -> None: ...


class Player:
    """One scenario in one world. `failures` are the expectations that did not hold."""

    def __init__(self, scenario: Scenario, place: Place, teller: Teller) -> None:
        self.scenario = scenario
        self.failures: list[str] = []
        self.stage = Stage(place.sandbox)
        self.service = Service(place.web, place.secret_key)
        self.now = scenario.start
        self.fleet = Fleet(
            scenario.manner,
            app=place.app,
            model=scenario.model,
            key=place.public_key,
            transport=HttpTransport(place.web),
            start=scenario.start,
            faults=scenario.faults,
            better_since=scenario.better_since,
            bundle_key=self.service.bundle_key(),
        )
        self._teller = teller
        self._heard: set[tuple[str, str, str]] = set()
        self._view = View(
            stage=self.stage, service=self.service, fleet=self.fleet, model=scenario.model, stored=place.stored
        )

    def prepare(self) -> None:
        """Grant the roles, and register the baseline: the version that phones run before anything happens."""
        self._grant()
        for file in self.scenario.files:
            if file.is_baseline:
                self._register(Register(version=file.version))

    def furnish(self) -> str | None:
        """Grant the roles, register every artifact and start the poll; return the poll's id."""
        self._grant()
        for file in self.scenario.files:
            self._register(Register(version=file.version))
        if self.scenario.poll is None:
            return None
        return str(self.service.push_poll(self.scenario.poll)["id"])

    def hear(self, teller: Teller) -> None:
        """Tell somebody else from now on."""
        self._teller = teller

    def live_an_hour(self) -> None:
        """Let one more hour pass; hours that somebody skipped by turning the clock are not lived."""
        world = self.stage.clock()
        self.now = max(self.now, world.replace(minute=0, second=0, microsecond=0))
        self._slice(self.now + timedelta(hours=1))

    def play(self) -> tuple[str, ...]:
        """Play every step to its end, whatever fails on the way; return the failures."""
        try:
            for number, step in enumerate(self.scenario.steps, 1):
                self._teller.step(number, len(self.scenario.steps), step)
                for act in step.acts:
                    self._do(step, act)
                    self._listen()
        except BaseException:
            self.fleet.close()
            raise
        return tuple(self.failures)

    def _grant(self) -> None:
        for who, role in self.scenario.roles.items():
            self._carry_out(Say(who=ADMIN, place="@muster", text=f"/muster role grant @{who} {role}"))
            user = acting.person(self.stage.state(), who)
            self._expect(Said(place="@muster", words=f"<@{user}>", to=ADMIN), within_s=20.0)

    def _do(self, step: Step, act: Act) -> None:
        try:
            self._carry_out(act)
        except AppError as error:
            self._fail(f"{step.title}: {error.message}")

    def _carry_out(self, act: Act) -> None:
        match act:
            case Live():
                self.live(act)
            case Say(who=who, place=place, text=text):
                self._teller.did(f"{who} in {place}: {text}")
                answer = self.stage.say(who, place, text)
                if not answer["ok"]:
                    self._fail(f"{text!r} was answered {answer['status']} {answer['body']}")
            case Click():
                self._click(act)
            case Switch(faults=faults):
                self.stage.switch(faults)
                self._teller.did("; ".join(in_words(name, value) for name, value in faults.items()))
            case SendAgain(phones=phones):
                again = self.fleet.send_again(self.stage.clock(), phones)
                self._teller.did(f"{phones} phones send a batch twice: {again.duplicate} answers seen as duplicates")
            case Deliver():
                self.fleet.deliver(self.stage.clock())
            case Register():
                self._register(act)
            case PushPoll():
                told = self.service.push_poll(self.scenario.poll or "")
                self._teller.did(f"poll {told.get('ref', told.get('id'))} is pushed and running")
            case Expect(condition=condition, within_s=within_s):
                self._expect(condition, within_s)
            case _:
                assert_never(act)

    def live(self, act: Live) -> None:
        """Let time pass for the phones and the world, slice by slice."""
        begun, end = self.now, act.to or self.now + (act.length or act.every)
        while self.now < end:
            self._slice(min(self.now + act.every, end))
            time.sleep(act.pause_s)
            self._listen()
            if act.until is not None and lacks(act.until, self._view) is None:
                break
        else:
            missing = lacks(act.until, self._view) if act.until is not None else None
            if missing is not None:
                self._fail(f"after {end - begun}: {missing}")
        tally = self.fleet.tally()
        self._teller.did(f"{self.now:%a %H:%M}: phones have sent {tally.sent} answers, {tally.duplicate} of them again")

    def _slice(self, until: datetime) -> None:
        hours = (until - self.now).total_seconds() / 3600
        self.fleet.is_offline = bool(self.stage.state()["faults"]["phones_offline"])
        self.fleet.check_in(self.now, everybody=hours >= self.scenario.manner.check_in_hours)
        # The world's clock runs on its own too; what it ran ahead is not added again.
        self.stage.advance(max(until - self.stage.clock(), timedelta(0)))
        self.fleet.live(self.now, until)
        self.now = until

    def _click(self, act: Click) -> None:
        deadline = time.monotonic() + 20.0
        while (answer := self.stage.click(act.who, act.place, act.button)) is None:
            if time.monotonic() > deadline:
                self._fail(f"{act.who} finds no button {act.button!r} in {act.place}")
                return
            time.sleep(LOOK_EVERY_S)
        self._teller.did(f"{act.who} presses [{act.button}] in {act.place}")
        if not answer["ok"]:
            self._fail(f"the button {act.button!r} was answered {answer['status']} {answer['body']}")

    def _register(self, act: Register) -> None:
        file = next(each for each in self.scenario.files if each.version == act.version)
        content, beside = self._made(file)
        told = {"model": self.scenario.model, "version": file.version, "variant": file.variant, "runtime": RUNTIME}
        told |= {role: self.service.upload(each) for role, each in beside.items()}
        if file.is_baseline:  # unread: phones ask before a worker has had the time to read it
            told |= {"baseline": "1", "unread": "1"}
        made = self.service.register(content, **told)
        self._teller.did(
            f"{self.scenario.model} {file.version} is registered: {made['size_bytes']} bytes, {made['sha256'][:12]}…"
        )

    def _made(self, file: ModelFile) -> tuple[bytes, dict[str, bytes]]:
        """Return a model file and what is registered with it."""
        if not file.trained:
            return tiny_onnx.model(f"{self.scenario.model}-{file.version}", kilobytes=file.kilobytes), {}
        learned = fixtures.mlp(file.trained)
        return learned.model, {"eval": learned.evaluation, "calib": learned.calibration}

    def _expect(self, condition: Condition, within_s: float) -> None:
        deadline = time.monotonic() + within_s
        while (missing := lacks(condition, self._view)) is not None:
            if time.monotonic() > deadline:
                self._fail(f"{claim(condition)}: {missing}")
                return
            time.sleep(LOOK_EVERY_S)
            self._listen()

    def _listen(self) -> None:
        """Tell what the app has said since the last look; an edited message is told again."""
        state = self.stage.state()
        for message in acting.messages(state, None, None):
            known = (message["channel"], message["ts"], message["text"])
            if known in self._heard or not self._is_app(state, message["user"]):
                continue
            self._heard.add(known)
            said = message["text"] or acting.words(message)
            self._teller.heard(_place(state, message), acting.spelled(state, said))

    def _is_app(self, state: acting.State, user: str) -> bool:
        return all(user != person["id"] for person in state["users"] if person["id"] != "U0MUSTER")

    def _fail(self, what: str) -> None:
        self.failures.append(what)
        self._teller.failed(what)


def _place(state: acting.State, message: acting.Json) -> str:
    room = next(each for each in state["channels"] if each["id"] == message["channel"])
    name = f"#{room['name']}" if room["kind"] == "channel" else f"to {room['name']} directly"
    to = next((each["name"] for each in state["users"] if each["id"] == message["ephemeral_to"]), None)
    return name + (f" (only {to} sees it)" if to else "") + (" thread" if message["thread_ts"] else "")

"""What a person can do in the workspace: type, click, fill in, close, and visit the app's home."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import InvalidInputError, NotFoundError, Problem
from sandbox.slack import answers, payloads
from sandbox.slack.delivery import Ack
from sandbox.slack.files_api import file_facts
from sandbox.slack.limits import check_message, check_view
from sandbox.slack.responses import RESPONSE_TYPES, blocks_of
from sandbox.slack.service import Slack
from sandbox.slack.state import BOT_USER, Channel, Json, Message, Person, acting_elements
from sandbox.slack.windows import Window

URL = re.compile(r"https?://[^\s|<>]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How the app took it: `body` is its answer, parsed when it was JSON."""

    ok: bool = True
    status: int = 200
    ack_ms: float = 0.0
    body: Any = ""

    def facts(self) -> Json:
        return {"ok": self.ok, "status": self.status, "ack_ms": self.ack_ms, "body": self.body}


def _outcome(ack: Ack) -> Outcome:
    return Outcome(ok=ack.ok, status=ack.status, ack_ms=ack.ack_ms, body=ack.error or _parsed(ack.body))


def _parsed(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


class People:
    """Raises NotFoundError for a person, channel, message, view or element that is not there."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    def say(
        self,
        user: str,
        channel: str,
        text: str,
        thread_ts: str | None = None,
        *,
        files: Mapping[str, bytes] | None = None,
    ) -> Outcome:
        """Type a line: a slash command when it begins with `/`, else a message. `files` are attached by name."""
        person, place = self._person(user), self._channel(channel, user)
        if text.startswith("/") and not files:
            return self._command(person, place, text, in_thread=thread_ts is not None)
        everybody = tuple(self._slack.workspace.people.values())
        written = payloads.typed_text(text, everybody)
        message = self._slack.workspace.post(
            Message(
                channel=place.id, ts="", user=user, text=written, thread_ts=thread_ts, files=self._attach(files or {})
            )
        )
        self._share_links(message)
        mentions = f"<@{BOT_USER}>" in written and BOT_USER in place.members
        if place.kind != "im" and not mentions:
            return Outcome()
        return self._event(payloads.said(message, place))

    def _share_links(self, message: Message) -> None:
        """Tell the app of links to the domain that its manifest names."""
        domain = self._slack.unfurl_domain
        urls = [url for url in URL.findall(message.text) if domain and f"//{domain}/" in url]
        if urls:
            self._event(payloads.link_shared(message, urls, domain.partition(":")[0]))

    def _attach(self, files: Mapping[str, bytes]) -> tuple[Json, ...]:
        kept = []
        for name, content in files.items():
            file = self._slack.files.reserve(name, len(content))
            self._slack.files.fill(file.id, content)
            kept.append(file_facts(self._slack, file))
        return tuple(kept)

    def _event(self, inner: Json) -> Outcome:
        slack = self._slack
        event_time = int(slack.clock().timestamp())
        event_id = f"Ev0{secrets.token_hex(5).upper()}"
        return _outcome(slack.courier.deliver(payloads.event(inner, event_id=event_id, event_time=event_time)))

    def _command(self, person: Person, channel: Channel, text: str, *, in_thread: bool) -> Outcome:
        slack = self._slack
        command, _, rest = text.partition(" ")
        if command != slack.command:
            slack.tell(person.id, channel.id, f"`{command}` is not a valid command.")
            return Outcome(ok=False, status=0, body="invalid_command")
        if in_thread:
            slack.tell(person.id, channel.id, f"{command} is not supported in threads. Sorry!")
            return Outcome(ok=False, status=0, body="not_supported_in_threads")
        said = payloads.typed_text(rest.strip(), slack.workspace.people.values())
        trigger_id = slack.trigger_ids.issue(person.id)
        url = slack.response_url(user=person.id, channel=channel.id)
        delivery = payloads.slash_command(person, channel, command, said, trigger_id=trigger_id, response_url=url)
        ack = slack.courier.deliver(delivery)
        if not ack.ok:
            slack.tell(person.id, channel.id, f'{command} failed with the error "{ack.error}"')
            return _outcome(ack)
        return self._show_answer(person, channel, text, ack)

    def _show_answer(self, person: Person, channel: Channel, typed: str, ack: Ack) -> Outcome:
        """What a slash command's acknowledgement said becomes a message."""
        body = _parsed(ack.body)
        answer: Json = body if isinstance(body, dict) else {"text": str(body)} if body else {}
        if not answer.get("text") and not answer.get("blocks"):
            return _outcome(ack)
        if check_message(answer.get("text"), answer.get("blocks")):
            self._slack.workspace.count_rejected()
            self._slack.tell(person.id, channel.id, f'{self._slack.command} failed with the error "dispatch_failed"')
            return Outcome(ok=False, status=ack.status, ack_ms=ack.ack_ms, body="invalid_blocks")
        in_channel = answer.get("response_type") == RESPONSE_TYPES[1]
        if in_channel:
            self._slack.workspace.post(Message(channel=channel.id, ts="", user=person.id, text=typed))
        to = None if in_channel else person.id
        self._slack.workspace.post(
            Message(
                channel=channel.id,
                ts="",
                user=BOT_USER,
                text=answer.get("text", ""),
                blocks=blocks_of(answer),
                ephemeral_to=to,
            )
        )
        return _outcome(ack)

    def click(
        self,
        user: str,
        *,
        action_id: str,
        block_id: str | None = None,
        channel: str | None = None,
        ts: str | None = None,
        view_id: str | None = None,
        selected: object = None,
    ) -> Outcome:
        """Press a button or pick from a menu, in a message or in a view. `selected` is what was picked."""
        person = self._person(user)
        if view_id is not None:
            return self._click_in_view(person, self._window(view_id, user), block_id, action_id, selected)
        message = self._message(channel or "", ts or "", user)
        place = self._slack.workspace.channels[message.channel]
        action = self._action(message.blocks, block_id, action_id, selected)
        trigger_id = self._slack.trigger_ids.issue(user)
        url = self._slack.response_url(user=user, channel=place.id, message_ts=message.ts, thread_ts=message.thread_ts)
        delivery = payloads.click_in_message(person, place, message, action, trigger_id=trigger_id, response_url=url)
        return self._interact(person, place.id, self._slack.courier.deliver(delivery))

    def _click_in_view(
        self, person: Person, window: Window, block_id: str | None, action_id: str, selected: object
    ) -> Outcome:
        action = self._action(tuple(window.view["blocks"]), block_id, action_id, selected)
        trigger_id = self._slack.trigger_ids.issue(person.id)
        delivery = payloads.click_in_view(person, window, action, trigger_id=trigger_id)
        return _outcome(self._slack.courier.deliver(delivery))

    def _action(self, blocks: tuple[Json, ...], block_id: str | None, action_id: str, selected: object) -> Json:
        for block in blocks:
            for element in acting_elements(block):
                if element.get("action_id") == action_id and block_id in (None, "", block["block_id"]):
                    picks = element["type"] in answers.SINGLE or element["type"] in answers.MANY
                    picked = answers.answer_of(element, selected) if picks else {}
                    return payloads.action_of(block, element, picked, action_ts=self._slack.workspace.next_ts())
        raise NotFoundError(f"there is nothing to click named {action_id}")

    def submit(self, user: str, view_id: str, values: Json) -> Outcome:
        """Send off a modal. Slack's own complaints come back like the app's: `response_action: errors`."""
        person, window = self._person(user), self._window(view_id, user)
        filled = answers.values_of(window.view, values)
        complaints = answers.complaints_of(window.view, filled)
        if complaints:
            return Outcome(ok=False, status=0, body={"response_action": "errors", "errors": complaints})
        window = self._slack.windows.fill(window, filled)
        trigger_id = self._slack.trigger_ids.issue(user)
        ack = self._slack.courier.deliver(payloads.view_submission(person, window, trigger_id=trigger_id))
        return self._follow(window, ack) if ack.ok else _outcome(ack)

    def _follow(self, window: Window, ack: Ack) -> Outcome:
        """Do with the modal what the app answered."""
        windows = self._slack.windows
        body = _parsed(ack.body)
        answer: Json = body if isinstance(body, dict) else {}
        action, view = answer.get("response_action"), answer.get("view")
        if action in ("update", "push"):
            refusal = check_view(view)
            if refusal or not isinstance(view, dict):
                self._slack.workspace.count_rejected()
                problem = "; ".join(refusal.messages) if refusal else "no view"
                return Outcome(ok=False, status=ack.status, ack_ms=ack.ack_ms, body=f"invalid_view: {problem}")
            if action == "update":
                windows.update(window, view)
            elif windows.push(window.user, view) is None:
                return Outcome(ok=False, status=ack.status, ack_ms=ack.ack_ms, body="push_limit_reached")
        elif action == "errors":
            known = {block["block_id"] for block in window.view["blocks"] if block["type"] == "input"}
            if not answer.get("errors") or not set(answer["errors"]) <= known:
                return Outcome(ok=False, status=ack.status, ack_ms=ack.ack_ms, body="errors name no input block")
        elif action == "clear":
            windows.clear(window.user)
        else:
            windows.close(window)
        return _outcome(ack)

    def close(self, user: str, view_id: str) -> Outcome:
        """Close a modal; the app hears of it only when it asked to."""
        person, window = self._person(user), self._window(view_id, user)
        is_cleared = bool(window.view.get("clear_on_close"))
        if is_cleared:
            self._slack.windows.clear(user)
        else:
            self._slack.windows.close(window)
        if not window.view.get("notify_on_close"):
            return Outcome()
        return _outcome(self._slack.courier.deliver(payloads.view_closed(person, window, is_cleared=is_cleared)))

    def shortcut(self, user: str, callback_id: str, channel: str | None = None, ts: str | None = None) -> Outcome:
        """Use a shortcut, on a message when one is named."""
        person = self._person(user)
        trigger_id = self._slack.trigger_ids.issue(user)
        if ts is None:
            action_ts = self._slack.workspace.next_ts()
            delivery = payloads.global_shortcut(person, callback_id, trigger_id=trigger_id, action_ts=action_ts)
            return _outcome(self._slack.courier.deliver(delivery))
        message = self._message(channel or "", ts, user)
        place = self._slack.workspace.channels[message.channel]
        url = self._slack.response_url(user=user, channel=place.id, message_ts=ts, thread_ts=message.thread_ts)
        delivery = payloads.message_shortcut(
            person, place, message, callback_id, trigger_id=trigger_id, response_url=url
        )
        return self._interact(person, place.id, self._slack.courier.deliver(delivery))

    def open_home(self, user: str) -> Outcome:
        person, slack = self._person(user), self._slack
        place = self._channel(user, user)
        window = slack.windows.homes().get(user)
        return self._event(payloads.home_opened(person, place, window, event_ts=slack.workspace.next_ts()))

    def _interact(self, person: Person, channel: str, ack: Ack) -> Outcome:
        if not ack.ok:
            self._slack.tell(person.id, channel, f"This app is not responding ({ack.error}).")
        return _outcome(ack)

    def _person(self, user: str) -> Person:
        person = self._slack.workspace.people.get(user)
        if person is None or person.is_bot:
            raise NotFoundError(f"there is no person {user}")
        return person

    def _channel(self, channel: str, user: str) -> Channel:
        place = self._slack.workspace.find_channel(channel)
        if place is None:
            raise NotFoundError(f"there is no channel {channel}")
        if user not in place.members:
            raise InvalidInputError(Problem("channel", f"{user} is not in {place.name}"))
        return place

    def _message(self, channel: str, ts: str, user: str) -> Message:
        message = self._slack.workspace.message(channel, ts)
        if message is None or not message.seen_by(user):
            raise NotFoundError(f"there is no message {ts} in {channel}")
        return message

    def _window(self, view_id: str, user: str) -> Window:
        window = self._slack.windows.find(view_id)
        if window is None or window.user != user:
            raise NotFoundError(f"{user} has no view {view_id} open")
        return window

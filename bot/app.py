"""The Bolt app: hears Slack, writes down what it heard once, acknowledges, and leaves the answer to the worker.

The same listeners serve HTTP (bot/web.py) and Socket Mode (bot/socket.py). Nothing here asks the network, but for
opening a form: Slack's trigger for that lives three seconds.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from slack_bolt import Ack, App, BoltRequest, BoltResponse
from slack_bolt.authorization import AuthorizeResult
from slack_sdk import WebClient

from bot import forms, heard, permissions, store
from bot.context import Context
from bot.heard import Heard
from core.clock import Clock
from core.db import Databases, reading
from core.errors import NotFoundError
from core.settings import Settings
from releases.store import load_release

log = logging.getLogger(__name__)

Body = dict[str, Any]
SHORTCUTS: Mapping[str, str] = {forms.MAKE_REGRESSION: "ticket open"}
EVENTS: Mapping[str, str] = {
    "app_mention": "event", "message.im": "event", "app_home_opened": "home", "link_shared": "links",
}  # → who hears it  # fmt: skip
LINK = re.compile(r"link:.*")  # buttons that only open an address
ANY_CLICK = re.compile(r"(?!link:)[a-z]+:.*")


def create_app(ctx: Context) -> App:
    """Without a signing secret no HTTP request passes; Socket Mode needs none."""
    settings = ctx.settings
    app = App(
        name="muster",
        logger=logging.getLogger("bot.bolt"),
        client=WebClient(base_url=settings.slack_api_url),  # Bolt wants one without a token; we speak with ours
        signing_secret=settings.slack_signing_secret or secrets.token_hex(32),
        authorize=_authorize(settings),
        # Bolt would acknowledge events before the listener has written them down.
        process_before_response=True,
        ssl_check_enabled=True,
    )
    ears = Ears(ctx.databases, ctx.clock, ctx.slack, settings.slack_admins)
    app.command(settings.slack_command)(ears.command)
    for event, ear in EVENTS.items():
        app.event(event.partition(".")[0])(getattr(ears, ear))
    app.action(ANY_CLICK)(ears.click)
    app.action(LINK)(ears.link)
    for callback_id in SHORTCUTS:
        app.shortcut(callback_id)(ears.shortcut)
    for callback_id in forms.FORMS:
        app.view(callback_id)(ears.submission)
    app.error(_on_error)
    return app


def _authorize(settings: Settings) -> Callable[..., AuthorizeResult]:
    """Bolt's own authorization calls auth.test inside the first acknowledgement; ours knows the answer."""

    def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            bot_token=settings.slack_bot_token,
            bot_user_id=settings.slack_bot_user,
        )

    return authorize


class Ears:
    """The listeners. Each writes one delivery, however often Slack sends it, before it acknowledges."""

    def __init__(self, databases: Databases, clock: Clock, client: WebClient, admins: Sequence[str]) -> None:
        self._databases = databases
        self._clock = clock
        self._client = client
        self._admins = admins
        self._opening = ThreadPoolExecutor(max_workers=4, thread_name_prefix="forms")

    def command(self, ack: Ack, body: Body) -> None:
        self._hear_or_open(heard.from_command(body), ack)

    def event(self, ack: Ack, body: Body) -> None:
        said = heard.from_event(body)
        if said is not None:
            self._hear(said)
        ack()

    def home(self, ack: Ack, body: Body) -> None:
        if body["event"].get("tab") == "home":
            self._hear(heard.from_home(body))
        ack()

    def links(self, ack: Ack, body: Body) -> None:
        self._hear(heard.from_links(body))
        ack()

    def click(self, ack: Ack, body: Body) -> None:
        self._hear_or_open(heard.from_click(body), ack)

    def link(self, ack: Ack) -> None:
        ack()

    def shortcut(self, ack: Ack, body: Body) -> None:
        said = heard.from_shortcut(body, SHORTCUTS[body["callback_id"]])
        text = str((body.get("message") or {}).get("text") or "")
        prefill = {"reason": text[:1000], "target": self._release_of(said)}
        self._open(said, body["callback_id"], prefill, ack)

    def submission(self, ack: Ack, body: Body) -> None:
        view = body["view"]
        form = forms.FORMS[view["callback_id"]]
        values = heard.values_of(view)
        wrong = form.check(values)
        if wrong:
            ack(response_action="errors", errors=wrong)
            return
        channel, thread = forms.place(view.get("private_metadata") or "")
        self._hear(heard.from_submission(body, line=form.line(values), form=values, channel=channel, thread=thread))
        ack()

    def _hear(self, said: Heard) -> None:
        with self._databases.control.begin() as session:
            store.accept_delivery(session, said, now=self._clock())

    def _hear_or_open(self, said: Heard, ack: Ack) -> None:
        wanted = forms.wanted(said.line)
        if wanted is not None and said.trigger_id is not None:
            self._open(said, *wanted, ack)
            return
        self._hear(said)
        ack()

    def _open(self, said: Heard, callback_id: str, prefill: Mapping[str, str], ack: Ack) -> None:
        """Open the form; when Slack does not let us, the answer in words offers it again.

        Whoever may not do what the form is for is told so in words instead.
        """
        if not self._may(said.person, callback_id, prefill.get("model") or None):
            self._hear(said)
            ack()
            return
        with self._databases.control.begin() as session:
            is_new = store.note_delivery(session, said, now=self._clock())
        ack()
        if is_new:  # not before the acknowledgement is out
            self._opening.submit(self._open_view, said, callback_id, prefill)

    def _open_view(self, said: Heard, callback_id: str, prefill: Mapping[str, str]) -> None:
        view = forms.open_view(callback_id, prefill, channel=said.channel, thread=said.thread or said.message)
        try:
            self._client.views_open(trigger_id=said.trigger_id or "", view=view)
        except Exception as error:  # whatever it was, the person gets an answer from the worker
            log.warning("form.not_opened", extra={"form": callback_id, "reason": type(error).__name__})
            self._hear(heard.again(said))

    def _may(self, person: str, callback_id: str, model: str | None) -> bool:
        with reading(self._databases.control) as session:
            return permissions.may(session, self._admins, person, forms.FORMS[callback_id].roles, model)

    def _release_of(self, said: Heard) -> str:
        """The release whose card started the thread, by the number people use; nothing when there is none."""
        if said.thread is None:
            return ""
        with reading(self._databases.control) as session:
            subject = store.subject_of(session, said.channel, said.thread)
            try:
                return load_release(session, subject).name if subject else ""
            except NotFoundError:
                return ""


def _on_error(error: Exception, request: BoltRequest) -> BoltResponse:
    """Nothing was written down: commands are told so, events are sent again by Slack."""
    error_id = f"E-{secrets.token_hex(3)}"
    log.error("slack.not_heard", exc_info=error, extra={"error": error_id})
    if request.body.get("command"):
        text = f"I could not write that down. Try it again in a minute; if it stays, tell whoever runs me *{error_id}*."
        return BoltResponse(status=200, body={"response_type": "ephemeral", "text": text})
    return BoltResponse(status=503, body="")

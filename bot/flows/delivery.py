"""Bringing a composed digest to one target: a channel of Slack, or one person by mail. Each target is its own job."""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy.orm import Session

from bot import digests, mail_stops, posts, speech, subscriptions
from bot.context import Context
from bot.digests import KeptDigest
from bot.mail_stops import stop_url
from bot.pages_web import digest_url
from bot.subscriptions import EVERY_MODEL
from bot.views import digest as views
from bot.views import digest_mail
from core.db import reading
from core.errors import NotFoundError
from feedback.digest import Digest, only
from integrations.mail import Letter

log = logging.getLogger(__name__)

MAIL = "mail:"


def targets(ctx: Context, session: Session) -> tuple[str, ...]:
    """Return where a digest goes: the channel, those that subscribed, and by mail who did not end it."""
    own = [ctx.settings.slack_channel] if ctx.settings.slack_channel else []
    wanting = [each.channel for each in subscriptions.listed(session, ctx.settings.app) if each.topic == "digests"]
    channels = list(dict.fromkeys([*own, *wanting]))
    people = dict.fromkeys(address.lower() for address in ctx.settings.mail_to) if ctx.mail is not None else {}
    ended = mail_stops.stopped(session, people)
    return (*channels, *(MAIL + address for address in people if address not in ended))


def deliver_digest(ctx: Context, digest: str, target: str) -> None:
    """Bring a digest to a target if it is not there yet. A job.

    Once, but for a crash between sending and noting it: Slack then shows the message again, a mail comes again
    under the same Message-ID.
    Raises: UpstreamError: the target cannot be reached just now (passing), or refuses.
    """
    with reading(ctx.databases.control) as session:
        kept = digests.find(session, digest)
        if kept is None:
            raise NotFoundError(f"There is no digest {digest}.")
        if posts.find(session, digest, target) is not None:
            return
        ended = mail_stops.stopped(session, [target.removeprefix(MAIL)])
        models = _models(ctx, session, target)
    if target.startswith(MAIL):
        sent = "" if ended else _mail(ctx, kept, target.removeprefix(MAIL))
    else:
        facts = content(kept) if models is None else only(content(kept), models)
        sent = speech.post(
            ctx.slack,
            target,
            views.digest(facts, url=digest_url(kept, ctx.settings), command=ctx.settings.slack_command),
        )
    with ctx.databases.control.begin() as session:
        posts.note(session, digest, target, ts=sent, now=ctx.clock())
    log.info("digest.delivered", extra={"week": kept.week, "by": "mail" if target.startswith(MAIL) else "slack"})


def _models(ctx: Context, session: Session, channel: str) -> frozenset[str] | None:
    """Return the models that a channel wants to read about, None for all."""
    found = subscriptions.listed(session, ctx.settings.app, channel=channel)
    models = frozenset(each.model for each in found if each.topic == "digests")
    return None if channel == ctx.settings.slack_channel or EVERY_MODEL in models or not models else models


def _mail(ctx: Context, kept: KeptDigest, address: str) -> str:
    if ctx.mail is None:
        return ""
    end = stop_url(address, ctx.settings, now=kept.composed_at)
    faces = digest_mail.mail(content(kept), url=digest_url(kept, ctx.settings), stop_url=end)
    ctx.mail.send(
        Letter(
            key=kept.id,
            to=address,
            subject=faces.subject,
            plain=faces.plain,
            html=faces.html,
            stop_url=end,
            images=faces.images,
        ),
        ctx.clock(),
    )
    return ""


def content(kept: KeptDigest) -> Digest:
    return msgspec.convert(kept.content, Digest)

"""The end of the digest's mails: /mail/stop/<code>, for whoever holds the signed link that stands in each of them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from bot import mail_stops
from bot.signed_pages import page
from bot.views import pages
from core.clock import Clock
from core.db import Databases, reading
from core.settings import Settings

AGAIN = "again"
EXPIRED = ("This link has expired or is not complete", "Use that of a newer mail.")


def blueprint(databases: Databases, settings: Settings, clock: Clock) -> Blueprint:
    web = Blueprint("mail_stops", __name__)

    @web.get("/mail/stop/<code>")
    def ask(code: str) -> Response:
        """Looking ends nothing: mail programs look at links by themselves."""
        address = mail_stops.address_of(code, request.args, settings, now=clock())
        if address is None:
            return page(pages.notice(*EXPIRED), 403)
        with reading(databases.control) as session:
            is_stopped = bool(mail_stops.stopped(session, [address]))
        if is_stopped:
            return _ended(address)
        asked = ("No more of the weekly digest?", f"It goes to {address}.")
        return page(pages.notice(*asked, button="Send no more"), 200, has_form=True)

    @web.post("/mail/stop/<code>")
    def stop(code: str) -> Response:
        """End it, however often this comes: from the button, and from a mail program (RFC 8058). Only `again=1`, the
        button that stands there afterwards, takes it back."""
        now = clock()
        address = mail_stops.address_of(code, request.args, settings, now=now)
        if address is None:
            return page(pages.notice(*EXPIRED), 403)
        with databases.control.begin() as session:
            if request.form.get(AGAIN):
                mail_stops.resume(session, address)
                return page(pages.notice("The digest comes again", f"The next one goes to {address}."), 200)
            mail_stops.stop(session, address, now)
        return _ended(address)

    return web


def _ended(address: str) -> Response:
    told = ("The weekly digest has ended", f"{address} gets it no more.")
    return page(pages.notice(*told, button="Send it again", field=AGAIN), 200, has_form=True)

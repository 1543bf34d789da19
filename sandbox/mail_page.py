"""The pretended mailboxes as people see them: a list, and one message as a mail program shows it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from sandbox.mail import Mail, MailWorld

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title><style>
:root { color-scheme: light dark; --line: #8884; --link: #0c66e4; }
@media (prefers-color-scheme: dark) { :root { --link: #85b8ff; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 0 auto; padding: 1rem 1.2rem 4rem; }
h1 { font-size: 1.4rem; } a { color: var(--link); } .who { color: #888; font-size: .9rem; }
dl { display: grid; grid-template-columns: auto 1fr; gap: .1rem 1rem; font-size: .9rem; } dt { color: #888; } dd { margin: 0; overflow-wrap: anywhere; }
iframe { width: 100%; height: 75vh; border: 1px solid var(--line); border-radius: 6px; background: #fff; } pre { white-space: pre-wrap; }
</style></head><body>
{% if mail %}
<p class="who"><a href="{{ base }}/">Mail</a> · to {{ mail.to }}{% if mail.times > 1 %} · sent {{ mail.times }} times, shown once{% endif %}</p>
<h1>{{ title }}</h1>
<dl>{% for name in ("From", "Date", "Message-ID", "List-Unsubscribe") %}<dt>{{ name }}</dt><dd>{{ mail.message[name] }}</dd>{% endfor %}</dl>
<iframe sandbox="allow-popups" srcdoc="{{ html }}" title="The message"></iframe>
<details><summary>As plain text</summary><pre>{{ plain }}</pre></details>
{% else %}
<h1>Mail</h1>
<ul>{% for one in mails %}<li><a href="{{ one.url }}">{{ one.subject }}</a> <span class="who">to {{ one.to }}</span></li>{% else %}<li class="who">None yet.</li>{% endfor %}</ul>
{% endif %}
</body></html>"""  # noqa: E501 (a page, not code)


def blueprint(world: MailWorld) -> flask.Blueprint:
    """To be registered under `url_prefix="/mail"`."""
    pages = flask.Blueprint("mail", __name__)

    @pages.get("/")
    def index() -> ResponseReturnValue:
        return _render(title="Mail", mails=world.facts())

    @pages.get("/<int:number>")
    def mail(number: int) -> ResponseReturnValue:
        found = world.find(number)
        if found is None:
            return flask.abort(404)
        return _render(title=str(found.message["Subject"]), mail=found, html=html_of(found), plain=plain_of(found))

    return pages


def html_of(mail: Mail) -> str:
    """Return the HTML part with its images inside; links open elsewhere."""
    part = mail.message.get_body(("html",))
    html = part.get_content() if part is not None else ""
    for name, source in images_of(mail).items():
        html = html.replace(f"cid:{name}", source)
    return str(html)


def images_of(mail: Mail) -> Mapping[str, str]:
    """Return the images that belong to the message, by content id, as data addresses."""
    found = [part for part in mail.message.walk() if part.get_content_type() == "image/png"]
    return {str(part["Content-ID"]).strip("<>"): _address(part.get_content()) for part in found}


def _address(png: bytes) -> str:
    return "data:image/png;base64," + b64encode(png).decode()


def plain_of(mail: Mail) -> str:
    part = mail.message.get_body(("plain",))
    return str(part.get_content()) if part is not None else ""


def _render(**facts: Any) -> str:
    base = flask.url_for("mail.index").rstrip("/")
    return flask.render_template_string(PAGE, base=base, **facts)

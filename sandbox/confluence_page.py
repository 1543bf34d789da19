"""The pretended Confluence as people see it: a list of pages, one page, and a field to write a note into it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from sandbox.confluence import SPACE_NAME, ConfluenceWorld, Page, parse

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }} – {{ space }}</title><style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: #0c66e4; }
@media (prefers-color-scheme: dark) { :root { --link: #85b8ff; } }
body { font: 15px/1.55 system-ui, sans-serif; max-width: 56rem; margin: 0 auto; padding: 1rem 1.2rem 4rem; }
header, .who { color: #888; font-size: .9rem; } h1 { font-size: 1.8rem; line-height: 1.2; margin: .3rem 0 .3rem; }
h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; } h3 { font-size: 1.05rem; } a { color: var(--link); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; } th { background: var(--soft); }
td, th { border: 1px solid var(--line); padding: .35rem .7rem; text-align: left; vertical-align: middle; }
td p, th p, li p { margin: 0; } img { display: block; max-width: 100%; background: #fff; border-radius: 3px; }
blockquote { border-left: 3px solid var(--line); margin: .6rem 0; padding-left: 1rem; }
form { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1rem; display: flex; gap: .5rem; }
input { flex: 1; font: inherit; padding: .35rem .6rem; } button { font: inherit; padding: .35rem .9rem; }
</style></head><body>
<header><a href="{{ base }}/">{{ space }}</a></header>
{% if page %}
<h1>{{ page.title }}</h1>
<p class="who">version {{ page.version }} by {{ page.author }} · {{ page.updated.strftime("%a %d %b %H:%M UTC") }}</p>
<main>{{ body }}</main>
<form method="post"><input name="words" placeholder="Write a note at the end of the page, as a person would" required><button>Write</button></form>
{% else %}
<h1>Pages</h1>
<ul>{% for one in pages %}<li><a href="{{ one.url }}">{{ one.title }}</a></li>{% else %}<li class="who">None yet.</li>{% endfor %}</ul>
{% endif %}
</body></html>"""  # noqa: E501 (a page, not code)

KEPT = frozenset(
    {"h1", "h2", "h3", "h4", "h5", "h6", "p", "ul", "ol", "li", "table", "tbody", "tr", "th", "td", "strong", "em",
     "code", "pre", "blockquote", "br", "hr", "span", "u", "s"}
)  # fmt: skip
VOID = frozenset({"br", "hr"})


def blueprint(confluence: ConfluenceWorld) -> flask.Blueprint:
    """Return the pages, which `sandbox.confluence_web` mounts beside the API."""
    pages = flask.Blueprint("confluence_pages", __name__)

    @pages.get("/")
    def index() -> ResponseReturnValue:
        return _render(title="Pages", pages=confluence.facts())

    @pages.get("/spaces/<_space>/pages/<page_id>")
    def page(_space: str, page_id: str) -> ResponseReturnValue:
        found = _found(confluence, page_id)
        return _render(title=found.title, page=found, body=rendered(found))

    @pages.post("/spaces/<_space>/pages/<page_id>")
    def note(_space: str, page_id: str) -> ResponseReturnValue:
        confluence.write_note(_found(confluence, page_id), flask.request.form["words"])
        return flask.redirect(flask.request.path, 303)

    @pages.get("/download/attachments/<page_id>/<name>")
    def attachment(page_id: str, name: str) -> ResponseReturnValue:
        kept = _found(confluence, page_id).attachments.get(name)
        if kept is None:
            return flask.abort(404)
        return flask.Response(kept[2], mimetype=kept[1])

    return pages


def rendered(page: Page) -> Markup:
    """Return the body as HTML: known elements without their attributes, links, and attached images."""
    return _inside(parse(page.body), page)


def _inside(node: ET.Element, page: Page) -> Markup:
    return escape(node.text or "") + Markup("").join(_element(child, page) + escape(child.tail or "") for child in node)


def _element(node: ET.Element, page: Page) -> Markup:
    if node.tag == "{urn:ac}image":
        names = [child.get("{urn:ri}filename") for child in node if child.tag == "{urn:ri}attachment"]
        place = flask.url_for("confluence.confluence_pages.attachment", page_id=page.id, name=names[0] if names else "")
        return Markup('<img src="{}" alt="{}">').format(place, node.get("{urn:ac}alt", ""))
    if node.tag == "a" and str(node.get("href", "")).startswith(("http://", "https://")):
        return Markup('<a href="{}">{}</a>').format(node.get("href"), _inside(node, page))
    if node.tag in VOID:
        return Markup(f"<{node.tag}>")
    if node.tag not in KEPT:
        return _inside(node, page)
    html = Markup(f"<{node.tag}>{{}}</{node.tag}>").format(_inside(node, page))
    return Markup('<div class="scroll">{}</div>').format(html) if node.tag == "table" else html


def _found(confluence: ConfluenceWorld, page_id: str) -> Page:
    found = confluence.find(page_id)
    if found is None or found.is_trashed:
        flask.abort(404)
    return found


def _render(**facts: Any) -> str:
    base = flask.url_for("confluence.confluence_pages.index").rstrip("/")
    return flask.render_template_string(PAGE, base=base, space=SPACE_NAME, **facts)

"""The pretended Jira as people see it: a list of issues, and one issue with its document, comments and buttons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue
from markupsafe import Markup, escape

from sandbox.jira import ACCOUNTS, ISSUE_TYPES, PROJECT, PROJECT_NAME, STATUSES, Issue, JiraWorld

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title><style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --link: #0c66e4; }
@media (prefers-color-scheme: dark) { :root { --link: #85b8ff; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1rem 1.2rem 4rem; }
header { display: flex; gap: .6rem; align-items: baseline; color: #888; font-size: .9rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .3rem 0 .8rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
a { color: var(--link); } code, pre { background: var(--soft); border-radius: 4px; padding: .1em .3em; }
pre code { background: none; padding: 0; } pre { padding: .7rem .9rem; overflow-x: auto; } blockquote { border-left: 3px solid var(--line); margin: .6rem 0; padding-left: 1rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; } td, th { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
th { background: var(--soft); } td p, th p { margin: 0; }
.panel { border-radius: 6px; padding: .2rem 1rem; background: var(--soft); border-left: 4px solid #888; }
.panel.error { border-color: #c9372c; } .panel.warning { border-color: #e2b203; } .panel.success { border-color: #22a06b; } .panel.info { border-color: #0c66e4; }
.lozenge { border-radius: 4px; padding: .1rem .5rem; font-size: .8rem; font-weight: 600; text-transform: uppercase; background: #8883; }
.lozenge.indeterminate { background: #0c66e433; } .lozenge.done { background: #22a06b44; }
.label { border-radius: 10px; padding: .05rem .6rem; background: var(--soft); font-size: .85rem; }
form { display: inline; } button { font: inherit; border: 1px solid var(--line); border-radius: 4px; background: var(--soft); padding: .2rem .7rem; cursor: pointer; }
.comment { border-top: 1px solid var(--line); padding: .4rem 0; } .who { color: #888; font-size: .85rem; }
</style></head><body>
<header><a href="{{ base }}">{{ project }}</a>{% if issue %}<span>/</span><span>{{ kind }}</span><span>/</span><b>{{ issue.key }}</b>{% endif %}</header>
{% if issue %}
<h1>{{ issue.summary }}</h1>
<p><span class="lozenge {{ status.category }}">{{ status.name }}</span>
{% for one in moves %}<form method="post" action="{{ base }}/browse/{{ issue.key }}/move/{{ one.transition }}"><button>{{ one.name }}</button></form> {% endfor %}</p>
<p>{% for label in issue.labels %}<span class="label">{{ label }}</span> {% endfor %}</p>
<main>{{ body }}</main>
{% if issue.assignee or issue.components or issue.related %}<p class="who">{% if issue.assignee %}Assignee: {{ accounts.get(issue.assignee, issue.assignee) }}. {% endif %}{% if issue.components %}Components: {{ issue.components | join(", ") }}. {% endif %}{% for key in issue.related %}Relates to <a href="{{ base }}/browse/{{ key }}">{{ key }}</a>. {% endfor %}</p>{% endif %}
{% if issue.links %}<h2>Web links</h2><ul>{% for link in issue.links %}<li><a href="{{ link.object.url }}">{{ link.object.title }}</a></li>{% endfor %}</ul>{% endif %}
<h2>Comments ({{ comments|length }})</h2>
{% for comment in comments %}<div class="comment"><div class="who">{{ comment.author }} · {{ comment.created.strftime("%a %d %b %H:%M UTC") }}</div>{{ comment.html }}</div>{% else %}<p class="who">None yet.</p>{% endfor %}
{% else %}
<h1>Issues</h1>
<ul>{% for one in issues %}<li><a href="{{ base }}/browse/{{ one.key }}">{{ one.key }}</a> {{ one.summary }} <span class="lozenge">{{ one.status }}</span></li>{% else %}<li class="who">None yet.</li>{% endfor %}</ul>
{% endif %}
</body></html>"""  # noqa: E501 (a page, not code)

TAGS: Mapping[str, str] = {
    "paragraph": "p", "bulletList": "ul", "orderedList": "ol", "listItem": "li", "blockquote": "blockquote",
    "tableRow": "tr", "tableCell": "td", "tableHeader": "th",
}  # fmt: skip
MARK_TAGS: Mapping[str, str] = {"strong": "strong", "em": "em", "code": "code", "strike": "s", "underline": "u"}


def blueprint(jira: JiraWorld) -> flask.Blueprint:
    """Return the pages, which `sandbox.jira_v2` mounts beside the API."""
    pages = flask.Blueprint("pages", __name__)

    @pages.get("/")
    def issues() -> ResponseReturnValue:
        return _render(title=PROJECT_NAME, issues=jira.facts())

    @pages.get("/browse/<key>")
    def issue(key: str) -> ResponseReturnValue:
        found = jira.find(key)
        if found is None:
            return flask.abort(404)
        return _render(title=f"[{found.key}] {found.summary}", **_facts(jira, found))

    @pages.post("/browse/<key>/move/<transition>")
    def move(key: str, transition: str) -> ResponseReturnValue:
        found = jira.find(key)
        to = [each for each in STATUSES.values() if each.transition == transition]
        if found is None or not to:
            return flask.abort(404)
        jira.move(found, to[0])
        return flask.redirect(flask.url_for(".issue", key=key), 303)

    return pages


def render_document(node: Mapping[str, Any] | str | None) -> Markup:
    """Return a document, or the wiki markup of Data Center as it stands, as HTML; every text in it is escaped."""
    if not node:
        return Markup("")
    if isinstance(node, str):
        return Markup("<pre>{}</pre>").format(node)
    kind = str(node.get("type"))
    if kind == "text":
        return _text(node)
    inner = Markup("").join(render_document(child) for child in node.get("content") or ())
    match kind:
        case "heading":
            level = min(6, max(2, int((node.get("attrs") or {}).get("level", 2)) + 1))
            return Markup(f"<h{level}>{{}}</h{level}>").format(inner)
        case "panel":
            return Markup('<div class="panel {}">{}</div>').format((node.get("attrs") or {}).get("panelType"), inner)
        case "table":
            return Markup('<div class="scroll"><table>{}</table></div>').format(inner)
        case "codeBlock":
            return Markup("<pre><code>{}</code></pre>").format(inner)
        case "rule":
            return Markup("<hr>")
        case "hardBreak":
            return Markup("<br>")
        case _:
            tag = TAGS.get(kind)
            return Markup(f"<{tag}>{{}}</{tag}>").format(inner) if tag else inner


def _text(node: Mapping[str, Any]) -> Markup:
    html = escape(node.get("text", ""))
    for mark in node.get("marks") or ():
        if mark["type"] == "link" and str(mark["attrs"]["href"]).startswith(("http://", "https://")):
            html = Markup('<a href="{}">{}</a>').format(mark["attrs"]["href"], html)
        elif tag := MARK_TAGS.get(mark["type"]):
            html = Markup(f"<{tag}>{{}}</{tag}>").format(html)
    return html


def _facts(jira: JiraWorld, issue: Issue) -> dict[str, Any]:
    return {
        "issue": issue,
        "accounts": ACCOUNTS,
        "kind": ISSUE_TYPES[issue.type_id],
        "status": STATUSES[issue.status],
        "moves": jira.transitions(issue),
        "body": render_document(issue.description),
        "comments": [{**comment, "html": render_document(comment["body"])} for comment in issue.comments],
    }


def _render(**facts: Any) -> str:
    base = flask.url_for(".issues").rstrip("/")
    return flask.render_template_string(PAGE, base=base, project=f"{PROJECT_NAME} ({PROJECT})", **facts)

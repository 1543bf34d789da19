"""Who owns a model in Jira: looked up there, so that a ticket is not refused for a name nobody has."""

from __future__ import annotations

from dataclasses import replace

from bot import model_owners, permissions
from bot.context import Context
from bot.model_owners import Owner
from core import audit
from core.db import reading
from core.errors import ConflictError, InvalidInputError, Problem
from integrations.jira import JiraClient

NOBODY = "none"
UNOWNED = Owner(assignee=None, assignee_name=None, component=None)


def shown(ctx: Context, model: str) -> Owner | None:
    with reading(ctx.databases.control) as session:
        return model_owners.find(session, ctx.settings.app, model)


def change(
    ctx: Context, model: str, *, assignee: str | None, component: str | None, by: str, is_dry_run: bool
) -> Owner:
    """Set what is told and keep the rest; "none" takes it away.

    Raises: InvalidInputError: Jira does not know them; ConflictError: there is no Jira; NotAllowedError; UpstreamError.
    """
    if ctx.jira is None:
        raise ConflictError("No Jira is set up: MUSTER_JIRA_URL, _TOKEN and _PROJECT.")
    with reading(ctx.databases.control) as session:
        act = f"set the owner of {model}"
        permissions.require(session, ctx.settings.slack_admins, by, ("operator",), model=model, act=act)
        before = model_owners.find(session, ctx.settings.app, model) or UNOWNED
    after = _checked(ctx.jira, before, assignee, component)
    if not is_dry_run:
        now = ctx.clock()
        with ctx.databases.control.begin() as session:
            model_owners.put(session, ctx.settings.app, model, after, by=by, now=now)
            facts = {"model": model, "assignee": after.assignee_name, "component": after.component}
            audit.record(session, who=by, what="ticket.owner", subject=model, now=now, facts=facts)
    return after


def _checked(jira: JiraClient, before: Owner, assignee: str | None, component: str | None) -> Owner:
    problems: list[Problem] = []
    after = before
    if assignee == NOBODY:
        after = replace(after, assignee=None, assignee_name=None)
    elif assignee is not None:
        found = jira.find_account(assignee.removeprefix("mailto:"))
        if found is None:
            told = f"{assignee!r} is not exactly one account that may be assigned issues in {jira.project}"
            problems.append(Problem("assignee", f"{told}; give a mail address or the whole name"))
        else:
            after = replace(after, assignee=found[0], assignee_name=found[1])
    if component == NOBODY:
        after = replace(after, component=None)
    elif component is not None:
        known = jira.components()
        named = next((each for each in known if each.casefold() == component.casefold()), None)
        if named is None:
            problems.append(Problem("component", f"{jira.project} has {', '.join(known) or 'none'}, not {component!r}"))
        after = replace(after, component=named)
    if problems:
        raise InvalidInputError(*problems)
    return after

"""App Home: what is going on and what I may do, drawn when somebody opens it."""

from __future__ import annotations

from bot import overview, speech
from bot.context import Context
from bot.request import Person
from bot.views import status as views


def show(ctx: Context, person: Person) -> None:
    """Publish the person's home. Raises: UpstreamError: Slack could not be reached."""
    facts = overview.look(ctx, person.id)
    view = views.home(facts, ctx.settings.slack_command, ctx.clock())
    speech.publish(ctx.slack, person.id, view)

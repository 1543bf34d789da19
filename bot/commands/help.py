"""`help [topic]`: what we understand."""

from __future__ import annotations

from bot.context import Context
from bot.grammar import closest
from bot.request import Request
from bot.views import help as views
from bot.views.blocks import Message
from bot.words import BY_NAME, NOUN_SYNONYMS
from core.errors import NotFoundError

EXAMPLES: dict[str, tuple[str, ...]] = {
    "release": (
        'release start kws@1.4.0 to=1,5,25,100 bake=24h where="platform=android" '
        'guard="crash_rate<+0.2pt csat>-5pt" reason="…" --dry-run',
        "release show R12",
        "release approve R12",
        'release halt R12 reason="people complain"',
        "release rollback R12 where=\"chipset='Helio G35'\"",
        'release freeze add "Fri 16:00 - Mon 08:00 Europe/Berlin"',
        "release throttle kws per_minute=30 where=tier=low",
    ),
    "feedback": (
        "feedback kws",
        "feedback kws by=accelerator since=14d where=\"chipset='Helio G35'\"",
        "feedback compare kws",
        "feedback quotes kws since=24h",
        "feedback themes kws",
        "feedback priorities",
    ),
    "poll": ("poll list", "poll create", "poll start P3", "poll stop P3", "poll explain P3 install=…"),
    "ticket": ("ticket list", "ticket open R12", "ticket mute <fingerprint> 30d"),
    "regression": ("regression list kws", "regression show <fingerprint>"),
    "drift": ("drift kws", "drift goal kws age=90d data=180d", "drift trained kws@1.4.0 2026-09-01"),
    "digest": ("digest preview", "digest schedule mon 09:00 Europe/Berlin", "digest goal kws csat>85% size<4MB"),
    "subscribe": ("subscribe kws releases regressions digests", "subscribe all digests", "subscribe list"),
    "unsubscribe": ("unsubscribe kws digests",),
    "undo": ("undo", "undo R12"),
    "role": ("role list", "role grant @mia approver model=kws", "role revoke @mia approver model=kws"),
    "model": (
        "model list",
        "model show kws@1.4.0",
        'model optimize kws@1.4.0 recipe=auto budget="size<-50% latency<-10% accuracy>-1pt"',
        "model compare kws@1.3.2 kws@1.4.0",
        "model register kws 1.4.0",
    ),
    "job": ("job list", "job J7", "job J7 cancel", "job register J7"),
    "audit": ("audit", "audit R12", "audit verify"),
    "glossary": ("glossary guardrail",),
    "status": ("status", "status kws"),
    "help": ("help release",),
    "whoami": ("whoami",),
    "doctor": ("doctor",),
}


def run(ctx: Context, request: Request) -> Message:
    request.only()
    command = ctx.settings.slack_command
    if request.target is None:
        return views.overview(command)
    word = request.target.lower()
    noun = BY_NAME.get(NOUN_SYNONYMS.get(word, word))
    if noun is None:
        near = closest(word, [*BY_NAME, *NOUN_SYNONYMS])
        near = NOUN_SYNONYMS.get(near, near) if near else None
        guess = f" Did you mean {near}?" if near else ""
        raise NotFoundError(f"There is no topic {request.target}.{guess} There are: {', '.join(BY_NAME)}.")
    return views.topic(noun, command, EXAMPLES.get(noun.name, ()))

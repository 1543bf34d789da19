"""The buttons under a release, on its card and when it is shown: what can be done in its state. Pure."""

from __future__ import annotations

from bot.views import buttons
from bot.views.blocks import Block, Style, confirmation
from releases.plan import Release
from releases.rollout import PausedFor, Rollout, State


def card_buttons(release: Release, rollout: Rollout, approval: str | None) -> list[Block]:
    """Return what can be done now; a button remembers what it was shown for, so a late click cannot do more.

    `approval` marks what an approval would be bound to.
    """
    name = release.name
    approve = _approve(release, rollout, approval)
    stage = f"stage={rollout.stage + 1}"
    match rollout.state:
        case State.AWAITING_APPROVAL:
            return [*approve, _confirmed("Reject", f"release reject {name}", "Nothing will be served.")]
        case State.PROGRESSING:
            onward = [
                buttons.run_button("Advance", f"release advance {name} {stage}"),
                buttons.run_button("Pause", f"release pause {name}"),
            ]
            return [*onward, _halt(release), _roll_back(release, "Roll back")]
        case State.PAUSED:
            resume = buttons.run_button("Resume", f"release resume {name}")
            onward = approve if rollout.paused_for is PausedFor.APPROVAL else [resume]
            return [*onward, _halt(release), _roll_back(release, "Roll back")]
        case State.HALTED:
            return [_roll_back(release, "Roll back everywhere"), *approve]
        case State.COMPLETED:
            return [_halt(release), _roll_back(release, "Roll back")]
        case _:
            return []


def _approve(release: Release, rollout: Rollout, approval: str | None) -> list[Block]:
    if approval is None:
        return []
    words = "Approve going on" if rollout.state is State.HALTED else "Approve"
    style: Style | None = None if rollout.state is State.HALTED else "primary"
    return [buttons.run_button(words, f"release approve {release.name} seen={approval}", style)]


def _halt(release: Release) -> Block:
    return _confirmed(
        "Halt",
        f"release halt {release.name}",
        f"No further install gets {release.candidate_version}; those that have it keep it.",
    )


def _roll_back(release: Release, words: str) -> Block:
    text = f"Every install returns to {release.baseline_version}; {release.candidate_version} is never offered again."
    return _confirmed(words, f"release rollback {release.name}", text, is_danger=True)


def _confirmed(words: str, line: str, text: str, *, is_danger: bool = False) -> Block:
    style: Style | None = "danger" if is_danger else None
    dialog = confirmation(f"{words}?", text, words[:30], style=style)
    return buttons.run_button(words, line, style, dialog)

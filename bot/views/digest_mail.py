"""The digest's face as mail: HTML that every mail program shows, the same in plain words, pictures inside. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from bot.views import digest_words, figures, pages, png
from bot.views.digest_strokes import cohort_strokes
from feedback.digest import Digest

COLORS: Final = {
    "good": ("#1d7a4c", "#e4f3ea"), "watch": ("#8a5a00", "#fcf1d8"), "bad": ("#b3261e", "#fbe7e5"),
    "better": ("#1d7a4c", ""), "worse": ("#b3261e", ""), "unclear": ("#5b6472", ""),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Faces:
    """A mail's subject, its two texts, and the pictures that `html` shows by `cid:<name>`."""

    subject: str
    plain: str
    html: str
    images: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A cohort with the name of its picture and what is read in place of it."""

    name: str
    cohort: str
    model: str
    figure: str
    change: str
    tone: str
    said: str


def mail(digest: Digest, *, url: str, stop_url: str, command: str = "/muster") -> Faces:
    """Return the mail; `url` opens the whole page, `stop_url` ends these mails."""
    told = {
        "digest": digest,
        "url": url,
        "stop_url": stop_url,
        "period": digest_words.period(digest),
        "headline": digest.headline.removeprefix(f"{digest.week}: "),
        "rows": [digest_words.number_row(number) for number in digest.numbers],
        "cohorts": cohort_pictures(digest),
        "colors": COLORS,
        "tones": pages.TONES,
        "moment": figures.moment,
        "repeats": digest_words.repeats(digest, command),
        "scale": scale(digest),
    }
    return Faces(
        subject=f"{digest.app}, week {digest.week}: {digest.headline.removeprefix(digest.week + ': ')}",
        plain=pages.render("digest_mail.txt", **told),
        html=pages.render("digest_mail.html", **told),
        images=cohort_images(digest),
    )


def cohort_pictures(digest: Digest) -> list[tuple[str, list[Picture]]]:
    """Return the worst and the best cohorts, each with the name of its picture."""
    shown = []
    for kind, strokes in cohort_strokes(digest):
        pictures = [
            Picture(
                name=_name(kind, number),
                cohort=stroke.line.cohort,
                model=stroke.line.model,
                figure=digest_words.said(stroke.line.score),
                change=stroke.was,
                tone={"good": "better", "bad": "worse", "": "unclear"}[stroke.tone],
                said=stroke.said,
            )
            for number, stroke in enumerate(strokes, 1)
        ]
        shown.append((kind, pictures))
    return shown


def cohort_images(digest: Digest) -> dict[str, bytes]:
    """Return the pictures by name, as PNG files."""
    return {
        _name(kind, number): png.interval(
            stroke.axis,
            value=stroke.line.score.value,
            low=stroke.line.score.low,
            high=stroke.line.score.high,
            tone=stroke.tone,
            before=stroke.before,
        )
        for kind, strokes in cohort_strokes(digest)
        for number, stroke in enumerate(strokes, 1)
    }


def scale(digest: Digest) -> str:
    """Return the ends of the axis that the pictures share."""
    ends = [bars.ends for bars in pages.cohort_bars(digest)]
    return f"{ends[0][0]} to {ends[0][1]}" if ends else "worse to better"


def _name(kind: str, number: int) -> str:
    return f"{kind.lower()}-{number}.png"

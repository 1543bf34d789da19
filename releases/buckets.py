"""Buckets: which arm an install falls into, by a hash that phones and servers compute alike.

b = the first 8 bytes of sha256(salt + ":" + install), big-endian, modulo 1 000 000. With a share of p (in millionths)
the candidate arm is [0, p) and the concurrent baseline arm [500 000, 500 000 + p). Above 50 % the two would meet, so
the baseline arm is what the candidate leaves: [p, 1 000 000). Widening p never moves an install out of the candidate
arm. With a rival (A/B) the arms begin at 0, at a third and at two thirds, and p is at most a third. Holdback comes
first, with a salt of its own. Vectors for other languages: tests/vectors/buckets.json. Pure.
"""

from __future__ import annotations

import hashlib
from typing import Final, Literal

Arm = Literal["candidate", "baseline", "none"]
OneOfThree = Literal["candidate", "rival", "baseline", "none"]

BUCKETS: Final = 1_000_000
BASELINE_FROM: Final = BUCKETS // 2
THIRD: Final = BUCKETS // 3


def bucket(salt: str, install: str) -> int:
    """Return the install's bucket, 0 … 999 999."""
    digest = hashlib.sha256(f"{salt}:{install}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % BUCKETS


def share_of(percent: float) -> int:
    """Return a percentage in millionths: 0.0001 % is 1, 100 % is 1 000 000."""
    return round(percent * BUCKETS / 100)


def arm(bucket: int, percent: float) -> Arm:
    """Return the arm of a bucket while `percent` of the eligible installs get the candidate."""
    share = share_of(percent)
    if bucket < share:
        return "candidate"
    baseline_from = max(share, BASELINE_FROM)
    baseline_to = BUCKETS if share > BASELINE_FROM else BASELINE_FROM + share
    return "baseline" if baseline_from <= bucket < baseline_to else "none"


def arm_sizes(percent: float) -> tuple[int, int]:
    """Return how many buckets the candidate and the baseline arm have."""
    share = share_of(percent)
    return share, share if share <= BASELINE_FROM else BUCKETS - share


def one_of_three(bucket: int, percent: float) -> OneOfThree:
    """Return the arm of a bucket while two candidates get `percent` each."""
    share = min(share_of(percent), THIRD)
    names: tuple[OneOfThree, ...] = ("candidate", "rival", "baseline")
    for i, name in enumerate(names):
        if i * THIRD <= bucket < i * THIRD + share:
            return name
    return "none"


def is_held_back(salt: str, install: str, percent: float) -> bool:
    """Return whether the install keeps the baseline for good; `salt` is the holdback's own."""
    return percent > 0 and bucket(salt, install) < share_of(percent)

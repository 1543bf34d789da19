"""What an item costs before it is stored: unpacking, understanding and packing, in microseconds of processor time.

`python -m bench.parse`; no database and no network. The last column is a
plain `json.loads` of the body, which checks nothing, as a yardstick.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.ingest import BATCH, batches, responses
from bench.serving import POLL
from feedback import inbox, polls
from feedback.answers import KnownPoll
from feedback.posts import House
from feedback.understand import understand
from feedback.unpack import Parcel, Unreadable, unpack_batch, unpack_response

Unpack = Callable[[bytes], Parcel]
BODIES = 2_000
TIMES = 5


def main() -> None:
    now = datetime.now(UTC)
    poll = polls.from_json(POLL)
    known = KnownPoll(poll=poll, model="kws", primary="q", latest=1)
    house = House(hash_key=b"y" * 32, secret_key=b"x" * 32, retention_days=180, find_poll=lambda *_: known)

    def whole(unpack: Unpack) -> Callable[[bytes], None]:
        def do(body: bytes) -> None:
            for item in understand(unpack(body), app="bench", now=now, house=house):
                assert not isinstance(item, Unreadable), item.problems
                inbox.pack(item)

        return do

    print(f"{'body':<22}{'unpack µs':>11}{'understand, pack µs':>21}{'µs an item':>12}{'json.loads µs':>15}")
    kinds: list[tuple[str, int, list[bytes], Unpack]] = [
        ("one response", 1, _bodies(responses("k"), BODIES), lambda body: unpack_response(body, now)),
        (f"batch of {BATCH}", BATCH, _bodies(batches("k"), BODIES // BATCH), unpack_batch),
    ]
    for name, items, bodies, unpack in kinds:
        unpacking = _each_us(unpack, bodies)
        all_of_it = _each_us(whole(unpack), bodies)
        loads = _each_us(json.loads, bodies)
        print(f"{name:<22}{unpacking:>11.1f}{all_of_it - unpacking:>21.1f}{all_of_it / items:>12.1f}{loads:>15.1f}")


def _bodies(make: Callable[[], tuple[str, bytes]], count: int) -> list[bytes]:
    return [make()[1].partition(b"\r\n\r\n")[2] for _ in range(count)]


def _each_us(work: Callable[[bytes], object], bodies: list[bytes]) -> float:
    best = float("inf")
    for _ in range(TIMES):
        begun = time.process_time()
        for body in bodies:
            work(body)
        best = min(best, (time.process_time() - begun) / len(bodies))
    return best * 1e6


if __name__ == "__main__":
    main()

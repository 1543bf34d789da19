"""A collector of a few lines that can be made to misbehave, for the tests of phones and fleets."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.wire import LostReplyError, Reply

T0 = datetime(2026, 11, 16, 9, tzinfo=UTC)
ARTIFACT = b"model bytes"
SHA = hashlib.sha256(ARTIFACT).hexdigest()
POLL: dict[str, Any] = {
    "id": "poll_heard",
    "version": 2,
    "status": "running",
    "start_date": (T0 - timedelta(days=7)).isoformat(),
    "end_date": None,
    "questions": [{"id": "q", "type": "csat", "question": "Did it hear you right?"}],
}


class Collector:
    """Keeps what it accepted by uuid; `faults` are taken one per request, before or after it did its work."""

    def __init__(self) -> None:
        self.signs: Callable[[bytes], bytes] = lambda body: b""
        self.lock = threading.Lock()
        self.contexts: dict[str, dict[str, Any]] = {}
        self.kept: dict[str, dict[str, Any]] = {}
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.faults: list[Reply | str] = []
        self.polls: list[dict[str, Any]] = [POLL]
        self.flag_asks: list[Mapping[str, str]] = []

    def __call__(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        with self.lock:
            return self._take(method, path, headers, body)

    def _take(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        self.paths.append(path)
        assert headers["Authorization"] == "Bearer pk_1"
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Reply):
            return fault
        reply = self._answer(path, headers, body)
        if fault == "lost":
            raise LostReplyError
        return reply

    def _answer(self, path: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        if path.startswith("/v1/polls"):
            etag = f'"{len(self.polls)}"'
            if headers.get("If-None-Match") == etag:
                return Reply(status=304)
            bundle = {"polls": self.polls, "not_after": (T0 + timedelta(days=7)).isoformat()}
            body_out = json.dumps(bundle).encode()
            signature = f"ed25519={base64.b64encode(self.signs(body_out)).decode()}"
            return Reply(status=200, headers={"etag": etag, "muster-signature": signature}, body=body_out)
        if path.startswith("/v1/artifacts/"):
            return Reply(status=200, headers={"cache-control": "public, immutable"}, body=ARTIFACT)
        if path.startswith("/ofrep/"):
            self.flag_asks.append(headers)
            value = {"version": "1.4.0", "variant": "int8", "sha256": SHA}
            flag = {"key": "kws", "value": value, "metadata": {"release": "rel_1", "arm": "candidate"}}
            return Reply(status=200, headers={"etag": '"f"'}, body=json.dumps({"flags": [flag]}).encode())
        assert body is not None
        batch = json.loads(gzip.decompress(body))
        self.bodies.append(batch)
        return self._accept(batch)

    def _accept(self, batch: dict[str, Any]) -> Reply:
        results = []
        for item in batch["events"] + batch["inferences"]:
            results.append({"uuid": item["uuid"], "status": "duplicate" if item["uuid"] in self.kept else "accepted"})
            self.kept[item["uuid"]] = item
            self.contexts[item["uuid"]] = batch["context"]
        return Reply(status=200, body=json.dumps({"results": results}).encode())

"""The service's own HTTP API, as a pipeline with an sk_ key sees it: artifacts, polls, releases, readiness."""

from __future__ import annotations

import hashlib
from typing import Any

import requests

from core.errors import UpstreamError

TIMEOUT_S = (3.05, 30)
Json = dict[str, Any]


class Service:
    def __init__(self, url: str, key: str) -> None:
        self.url = url.rstrip("/")
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {key}"

    def upload(self, content: bytes) -> str:
        """Upload a file that a registration will name, in two parts; return its SHA-256."""
        digest, middle = hashlib.sha256(content).hexdigest(), len(content) // 2
        for offset, part in ((0, content[:middle]), (middle, content[middle:])):
            headers = {"Upload-Offset": str(offset), "Upload-Complete": "?1" if offset else "?0"}
            self._ask("PATCH", f"/v1/uploads/{digest}", data=part, headers=headers)
        return digest

    def jobs(self, model: str) -> list[Json]:
        """Return the optimizations of a model, newest first."""
        found: list[Json] = self._ask("GET", "/v1/jobs", params={"model": model})["jobs"]
        return found

    def register(self, content: bytes, **told: str) -> Json:
        """Register an artifact; `told` are model, version, variant, runtime, baseline, eval …"""
        return self._ask("PUT", f"/v1/artifacts/{hashlib.sha256(content).hexdigest()}", params=told, data=content)

    def push_poll(self, text: str) -> Json:
        """Create the poll of a poll file and start it."""
        return self._ask("PUT", "/v1/polls", params={"start": "1"}, data=text.encode())

    def bundle_key(self) -> str:
        """Return the public key that poll bundles are signed with, for apps to pin."""
        return str(self._ask("GET", "/openapi.json")["x-muster-bundle-key"]["public"])

    def releases(self, model: str) -> list[Json]:
        """Return the releases of a model with their history, newest first."""
        found: list[Json] = self._ask("GET", "/v1/releases", params={"model": model})["releases"]
        return found

    def report(self, model: str, **asked: str) -> Json:
        """Return the scores of a model's poll by cohort; `asked` are by, since, where, poll. No poll: no cohorts."""
        try:
            return self._ask("GET", f"/v1/reports/{model}", params=asked)
        except UpstreamError as error:
            if "404" not in str(error):
                raise
            return {"cohorts": []}

    def _ask(self, method: str, path: str, **options: Any) -> Json:
        try:
            reply = self._session.request(method, self.url + path, timeout=TIMEOUT_S, **options)
            answer: Json = reply.json()
        except (requests.RequestException, ValueError) as error:
            raise UpstreamError("muster web", f"{method} {path}: {error}", permanent=False) from error
        if not reply.ok:
            told = "; ".join(f"{each['path']}: {each['message']}" for each in answer.get("problems", ()))
            raise UpstreamError(
                "muster web", f"{method} {path}: {reply.status_code} {answer.get('error')} {told}", permanent=True
            )
        return answer

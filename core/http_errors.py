"""Errors as JSON: `{"error": …, "problems": [{"path", "message", "line"}]}`, never a stack trace."""

from __future__ import annotations

import logging
import math
import secrets
from dataclasses import asdict

import sqlalchemy as sa
from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from core.errors import AppError

log = logging.getLogger(__name__)


def register_errors(app: Flask) -> None:
    """Answer AppErrors, Flask's own errors and everything unforeseen in one shape."""

    @app.errorhandler(AppError)
    def _known(error: AppError) -> tuple[Response, int, dict[str, str]]:
        wait_s = getattr(error, "retry_after_s", None)
        headers = {} if wait_s is None else {"Retry-After": str(math.ceil(wait_s))}
        problems = [{name: value for name, value in asdict(one).items() if value is not None} for one in error.problems]
        return jsonify(error=error.message, problems=problems), error.status, headers

    @app.errorhandler(HTTPException)
    def _http(error: HTTPException) -> Response:
        if error.code is None or error.code < 400:
            return Response(error.get_body(), status=error.code, headers=list(error.get_headers()))
        words = error.description or error.name
        if isinstance(error, NotFound) and words == NotFound.description:  # Flask's, which tells how to type a URL
            words = f"There is nothing at {request.path}."
        reply = jsonify(error=words, problems=[])
        reply.status_code = error.code
        if isinstance(error, MethodNotAllowed) and error.valid_methods:
            reply.headers["Allow"] = ", ".join(sorted(error.valid_methods))  # RFC 9110 wants it with a 405
        return reply

    @app.errorhandler(sa.exc.OperationalError)
    @app.errorhandler(sa.exc.InterfaceError)
    def _away(error: sa.exc.DBAPIError) -> tuple[Response, int, dict[str, str]]:
        """The database is locked for long, or cannot be reached."""
        log.warning("web.unavailable", extra={"error": type(error).__name__})
        return jsonify(error="The database cannot be reached; try again.", problems=[]), 503, {"Retry-After": "5"}

    @app.errorhandler(Exception)
    def _unforeseen(_error: Exception) -> tuple[Response, int]:
        error_id = secrets.token_hex(4)
        log.exception("web.failed", extra={"error_id": error_id})
        return jsonify(error=f"Something went wrong here (error {error_id}).", problems=[]), 500

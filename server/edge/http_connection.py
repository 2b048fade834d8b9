"""A connection of HTTP that repeats nothing of a malformed request, in no answer and in no log."""

import asyncio
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

_LINGER_SECONDS = 2.0
"""How long an answered connection still reads a body that nobody wants.

If it were closed before, the answer could be lost: a kernel drops what a connection received before a reset.
"""
_log = structlog.get_logger(__name__)


class HttpConnection(RequestHandler):
    """Answers what is not HTTP with 400 and a fixed text.

    aiohttp would log it as an error of the server, and both that line and its answer would have the beginning
    of the malformed line, which may be a cookie or a key.
    """

    __slots__ = ("_listener",)

    def __init__(
        self, server: web.Server, *, listener: str, keepalive_seconds: float, max_header_bytes: int
    ) -> None:
        """Prepares a connection.

        Args:
            server: Serves its requests.
            listener: The name of the listener in the log.
            keepalive_seconds: How long it may stay open without a request.
            max_header_bytes: The maximum size of the first line, and of each header.
        """
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # as its documentation allows
            keepalive_timeout=keepalive_seconds,
            lingering_time=_LINGER_SECONDS,
            max_line_size=max_header_bytes,
            max_field_size=max_header_bytes,
        )
        self._listener = listener

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """Logs what failed, unless it is the rest of a body that was malformed: its request was answered."""
        if not isinstance(kw.get("exc_info"), HttpProcessingError | web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Returns the answer to a request that cannot be parsed, or whose handler failed."""
        if not isinstance(exc, HttpProcessingError):
            return super().handle_error(request, status, exc, message)
        _log.warning("http_request_malformed", listener=self._listener, address=request.remote)
        answer = web.Response(status=400, text="the request is malformed\n")
        answer.force_close()
        return answer

"""Logs: one JSON object a line, or text for people; never biometric data, tokens or keys.

Lines of libraries that use the standard ``logging`` module are processed in the same way, and so is what
native libraries write to standard error. The rate of each kind of line is limited.
"""

import atexit
import faulthandler
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, TextIO
from uuid import UUID

import structlog

from server.configuration.settings import LogFormat, LogSettings

_REDACTED = "[redacted]"
_SENSITIVE = frozenset(
    {
        "authorization", "cookie", "credential", "credentials", "embedding", "embeddings", "frame",
        "image", "images", "key", "keys", "password", "picture", "pictures", "pixels", "portrait", "secret",
        "secrets", "template", "templates", "token", "tokens",
    }
)  # fmt: skip
_HARMLESS = frozenset({"object_key", "settings_key"})
_PLAIN = (str, int, float, bool, UUID, date, Enum, PurePath)
# Entries of structlog itself, which later processors render.
_STRUCTURAL = frozenset({"exc_info", "_record", "_from_structlog", "positional_args"})

_BURST = 50.0
_LINES_A_SECOND = 0.5
_SUMMARY_SECONDS = 60.0
_CAUSED_BY_CALLERS = frozenset(
    {
        "call_failed",
        "call_refused",
        "client_certificate_refused",
        "connection_lost",
        "evidence_problem",
        "evidence_record_unreadable",
        "http_request_malformed",
        "native_output",
        "origin_refused",
        "picture_not_kept",
        "proxy_header_refused",
        "storage_unavailable",
        "tls_handshake_failed",
    }
)

_MOST_CHARACTERS: Final = 500
_CHUNK_BYTES: Final = 65_536
_GRPC_LINE: Final = re.compile(r"([IWEF])[0-9]{4} [0-9:.]+ +[0-9]+ ([\w.-]+:[0-9]+)\] (.*)")
_HANDSHAKE: Final = re.compile(
    r"Handshake failed with error \w+: (?:error:[0-9a-f]+:.*?:)?([A-Z0-9_]{4,64})\b(?:: ([a-z ]+))?"
)
_CERTIFICATES: Final = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the caller shows no certificate, and client_ca demands one",
    "CERTIFICATE_VERIFY_FAILED": "the certificate cannot be verified: {}",
}
"""Failures that an operator can mend; port scanners and callers without TLS cause the others."""

_log = structlog.get_logger(__name__)
_suppressed = 0


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that removes values that must not be logged.

    By name: an entry is redacted if its last word names a token, key, image or template. By type: bytes,
    arrays and any other object that might contain such data are replaced by the name of their type.
    """
    for name in list(event):
        if name not in _STRUCTURAL:
            event[name] = _clean(name, event[name])
    return event


def configure_logging(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Set up logging for the whole process.

    Args:
        settings: Level and format.
        stream: The stream for lines; standard error by default, because standard output is for results.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.format),
            ],
        )
    )
    handler.addFilter(FloodFilter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.value.upper())
    # These loggers have no useful line below a warning. The debug lines of grpc are also dangerous: a server
    # that is freed while it runs logs itself, and a test or an error collector that keeps that line refers to
    # freed memory.
    for name in ("alembic", "asyncio", "grpc", "sqlalchemy"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderers(form: LogFormat) -> list[structlog.typing.Processor]:
    if form is LogFormat.CONSOLE:
        # Plain tracebacks, because pretty ones print local variables, which may be images and keys.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]


def _clean(name: str, value: Any) -> Any:
    if value is None or isinstance(value, bool):
        return value
    last = name.lower().rsplit("_", 1)[-1]
    if last in _SENSITIVE and name not in _HARMLESS:
        return _REDACTED
    if isinstance(value, Mapping):
        return {str(key): _clean(str(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(name, item) for item in value]
    if isinstance(value, _PLAIN):
        return value
    return f"[{type(value).__name__}]"


def suppressed_lines() -> int:
    """Return the number of lines of this process that were suppressed."""
    return _suppressed


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float
    suppressed: int = 0


class FloodFilter(logging.Filter):
    """Accepts a line while its kind stays within its rate, so that callers cannot fill the disk.

    Callers can cause lines at will: by refused and failed calls, by dropped connections, and by actions that
    make a library log. Once a minute a line states how many of a kind were suppressed, and the metrics count
    every one. A kind is an event with its reason, or the logger and level of a library. Callers cannot invent
    kinds.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Create a filter that has not counted any line."""
        super().__init__()
        self._monotonic = monotonic
        self._buckets: dict[str, _Bucket] = {}
        self._summarised = monotonic()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the line is logged."""
        now = self._monotonic()
        if now - self._summarised >= _SUMMARY_SECONDS:
            self._summarised = now
            self._log_summary()
        kind = _kind(record)
        if kind is None:
            return True
        bucket = self._buckets.setdefault(kind, _Bucket(_BURST, now))
        bucket.tokens = min(_BURST, bucket.tokens + (now - bucket.filled) * _LINES_A_SECOND)
        bucket.filled = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        bucket.suppressed += 1
        global _suppressed  # noqa: PLW0603 - logging is global to the process, and so is the count
        _suppressed += 1
        return False

    def _log_summary(self) -> None:
        for kind, bucket in list(self._buckets.items()):
            lines, bucket.suppressed = bucket.suppressed, 0
            if lines:
                _log.warning("log_lines_suppressed", kind=kind, lines=lines)


def _kind(record: logging.LogRecord) -> str | None:
    """Return the kind of a line; ``None`` for a line that no caller can cause at will."""
    if not isinstance(record.msg, dict):
        return f"{record.name} {record.levelname}"
    event = str(record.msg.get("event"))
    return f"{event} {record.msg.get('reason', '')}".rstrip() if event in _CAUSED_BY_CALLERS else None


def log_native_output() -> None:
    """Log what native code writes to file descriptor 2, until the process ends.

    gRPC's transport logs there, past ``logging``: a line of text between the JSON of the log, for each
    handshake that fails. It is also the only place that says why a caller's TLS handshake was refused: gRPC
    calls no code of ours then, and sends the caller no alert.

    Call it before logging is set up. ``sys.stderr``, and so the log, then writes to where the descriptor
    pointed, as does ``faulthandler``, which this enables: a library that aborts the process may take its last
    line with it. Lines are dropped if they come faster than they are read, so that a flood of them blocks no
    thread of gRPC. Nothing changes in a program that has replaced ``sys.stderr``.
    """
    if sys.__stderr__ is None or sys.stderr is not sys.__stderr__:
        return
    shown = os.dup(2)
    read, write = os.pipe()
    os.set_blocking(write, False)
    sys.stderr.flush()
    os.dup2(write, 2)
    os.close(write)
    sys.stderr = os.fdopen(
        shown, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )
    faulthandler.enable(sys.stderr)
    reader = threading.Thread(target=_log_lines, args=(read,), name="native-output", daemon=True)
    reader.start()

    def end() -> None:
        # Closes the last writer, so that the reader ends after what is left in the pipe.
        os.dup2(shown, 2)
        reader.join(timeout=5.0)

    atexit.register(end)


def _log_lines(read: int) -> None:
    rest = b""
    while chunk := os.read(read, _CHUNK_BYTES):
        *lines, rest = (rest + chunk).split(b"\n")
        # A line without an end must not fill the memory.
        if len(rest) > _CHUNK_BYTES:
            lines, rest = [*lines, rest], b""
        for line in lines:
            log_native_line(line.decode("utf-8", "backslashreplace"))
    if rest:
        log_native_line(rest.decode("utf-8", "backslashreplace"))
    os.close(read)


def log_native_line(line: str) -> None:
    """Log one line as what it says, if it is known, and as text otherwise."""
    line = line.rstrip()[:_MOST_CHARACTERS]
    if not line:
        return
    found = _GRPC_LINE.fullmatch(line)
    if found is None:
        _log.warning("native_output", text=line)
        return
    severity, place, text = found.groups()
    failed = _HANDSHAKE.match(text)
    if failed is not None:
        why = _CERTIFICATES.get(failed[1])
        if why is None:
            _log.info("tls_handshake_failed", reason="OTHER", why=failed[1])
        else:
            _log.warning("tls_handshake_failed", reason=failed[1], why=why.format(failed[2] or "unknown"))
        return
    write = {"I": _log.info, "W": _log.warning}.get(severity, _log.error)
    write("native_output", text=text, place=place)

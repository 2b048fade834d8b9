"""Logs: one JSON object a line, or text for people; never biometric data, tokens or keys.

Lines of libraries that use the standard ``logging`` module are processed in the same way.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import date
from enum import Enum
from pathlib import PurePath
from typing import Any, TextIO
from uuid import UUID

import structlog

from server.settings import LogFormat, LogSettings
from server.telemetry.flood_filter import FloodFilter

__all__ = ["configure_logging", "redact"]

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
    """Sets up logging for the whole process.

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

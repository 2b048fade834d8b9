import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import structlog

from server.domain.state import CheckState
from server.settings import LogFormat, LogLevel, LogSettings
from server.telemetry.logging import configure_logging, redact
from tests.logs import log_plainly


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    log_plainly()
    structlog.contextvars.clear_contextvars()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def configured(**settings: Any) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(LogSettings(**settings), stream=stream)
    return stream


def test_a_line_is_one_json_object_with_its_context() -> None:
    stream = configured()
    structlog.contextvars.bind_contextvars(call="ScanFace")
    structlog.get_logger("server.scan").info("check_decided", check_id=UUID(int=5), state=CheckState.DECIDED)
    (line,) = lines(stream)
    assert line["event"] == "check_decided"
    assert line["call"] == "ScanFace"
    assert line["check_id"] == "00000000-0000-0000-0000-000000000005"
    assert (line["level"], line["logger"]) == ("info", "server.scan")
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "name",
    ["token", "scan_token", "key", "api_key", "session_key", "embedding", "image", "evidence_image",
     "template", "portrait_template", "Authorization", "password", "frame"],
)  # fmt: skip
def test_values_with_a_sensitive_name_are_not_logged(name: str) -> None:
    stream = configured()
    structlog.get_logger().info("x", **{name: "hunter2", "detail": {name: ["hunter2"]}})
    assert "hunter2" not in stream.getvalue()
    (line,) = lines(stream)
    assert line[name] == "[redacted]"


def test_bytes_and_arrays_are_never_logged() -> None:
    stream = configured()
    structlog.get_logger().info(
        "x", data=b"hunter2", more=[b"hunter2"], vector=np.full(3, 123.25, dtype=np.float32), thing=object()
    )
    (line,) = lines(stream)
    assert (line["data"], line["more"], line["vector"]) == ("[bytes]", ["[bytes]"], "[ndarray]")
    assert line["thing"] == "[object]"


def test_harmless_entries_stay() -> None:
    event = {"object_key": "evidence/1", "frames": 12, "images_kept": 3, "key_id": "a", "port": 1, "ok": True}
    assert redact(None, "info", dict(event)) == event


def test_a_traceback_is_logged_without_local_variables() -> None:
    for form in LogFormat:
        stream = configured(format=form)
        try:
            secret = "hunter2"
            raise ValueError(f"{len(secret)} characters")
        except ValueError:
            structlog.get_logger().exception("failed")
        assert "ValueError: 7 characters" in stream.getvalue()
        assert "hunter2" not in stream.getvalue().replace('secret = "hunter2"', "")


def test_lines_of_libraries_take_the_same_way() -> None:
    stream = configured()
    logging.getLogger("grpc").warning("connection %s", "lost")
    logging.getLogger("sqlalchemy.engine").info("SELECT 1")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("connection lost", "grpc", "warning")


def test_the_level_is_the_least_that_is_logged() -> None:
    stream = configured(level=LogLevel.ERROR)
    structlog.get_logger().warning("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_the_console_format_is_plain_text() -> None:
    stream = configured(format=LogFormat.CONSOLE)
    structlog.get_logger("server").info("started", port=8443)
    assert "started" in stream.getvalue()
    assert "port=8443" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_debug_logging_does_not_turn_on_grpcs_own_debug_lines() -> None:
    configured(level=LogLevel.DEBUG)
    assert logging.getLogger("server.app").isEnabledFor(logging.DEBUG)
    assert not logging.getLogger("grpc._cython.cygrpc").isEnabledFor(logging.DEBUG)

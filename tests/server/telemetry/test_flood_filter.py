"""Log lines that callers can cause at will are limited in rate."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from server.settings import LogSettings
from server.telemetry.flood_filter import FloodFilter, suppressed_lines
from server.telemetry.logging import configure_logging
from tests.logs import log_plainly


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    log_plainly()


class _Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _configured(clock: _Clock) -> io.StringIO:
    stream = io.StringIO()
    configure_logging(LogSettings(), stream=stream)
    (handler,) = logging.getLogger().handlers
    for found in list(handler.filters):
        handler.removeFilter(found)
    handler.addFilter(FloodFilter(monotonic=clock))
    return stream


def _events(stream: io.StringIO) -> list[str]:
    return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]


def test_the_filter_is_in_place() -> None:
    configure_logging(LogSettings(), stream=io.StringIO())
    (handler,) = logging.getLogger().handlers
    assert [type(found) for found in handler.filters] == [FloodFilter]


def test_refusals_are_logged_by_rate_and_the_rest_is_counted_once_a_minute() -> None:
    clock, before = _Clock(), suppressed_lines()
    stream = _configured(clock)
    log = structlog.get_logger("server.edge")
    for _ in range(1000):
        log.info("call_refused", reason="TOKEN_INVALID", method="m")
    assert _events(stream) == ["call_refused"] * 50
    assert suppressed_lines() - before == 950
    log.info("call_refused", reason="UNAUTHENTICATED")
    assert len(_events(stream)) == 51
    clock.now = 61.0
    log.info("check_decided")
    assert _events(stream)[51:] == ["log_lines_suppressed", "check_decided"]
    summary = json.loads(stream.getvalue().splitlines()[51])
    assert (summary["kind"], summary["lines"]) == ("call_refused TOKEN_INVALID", 950)
    # A minute later some lines are logged again.
    log.info("call_refused", reason="TOKEN_INVALID")
    assert _events(stream)[-1] == "call_refused"


@pytest.mark.parametrize("event", ["evidence_problem", "picture_not_kept"])
def test_lost_pictures_that_are_fetched_again_and_again_have_a_rate(event: str) -> None:
    stream = _configured(_Clock())
    for _ in range(500):
        structlog.get_logger("server.checks").error(event, check_id="c", problem="LOST")
    assert _events(stream) == [event] * 50


def test_lines_that_no_caller_causes_are_always_logged() -> None:
    stream = _configured(_Clock())
    for _ in range(500):
        structlog.get_logger("server.checks").info("check_decided", reason="x")
    assert len(_events(stream)) == 500


def test_libraries_have_a_rate() -> None:
    stream = _configured(_Clock())
    for number in range(500):
        logging.getLogger("asyncio").error("socket.accept() out of system resource %d", number)
    assert len(_events(stream)) == 50

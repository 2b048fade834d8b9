"""The default logging of tests."""

import sys

import structlog


def log_plainly() -> None:
    """Set structlog to its defaults, but on stderr, with plain tracebacks as in the server's own renderer.

    By default it prints every local variable through rich: seconds of CPU time for each logged exception,
    while the server under test is blocked. On stdout, a line of the server could get between the output of a
    command that runs in the same process.
    """
    structlog.reset_defaults()
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[*structlog.get_config()["processors"][:-1], plain],
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )

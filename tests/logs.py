"""The default logging of tests."""

import structlog

__all__ = ["log_plainly"]


def log_plainly() -> None:
    """Sets structlog to its defaults, except for plain tracebacks, as in the server's own renderer.

    By default it prints every local variable through rich: seconds of CPU time for each logged exception,
    while the server under test is blocked.
    """
    structlog.reset_defaults()
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])

"""How tests log where they set up nothing else."""

import structlog

__all__ = ["log_plainly"]


def log_plainly() -> None:
    """Sets structlog to its defaults, but for plain tracebacks, as the server's own renderer has them.

    By default it prints every local variable through rich: seconds of CPU time for each logged exception,
    while the server under test stands still.
    """
    structlog.reset_defaults()
    plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])

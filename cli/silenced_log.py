"""A silent log for commands whose report states what the server's modules would log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def silenced_log() -> Iterator[None]:
    """Silence the log of the server's modules below CRITICAL, and restore its settings."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        yield
    finally:
        structlog.configure(**before)

"""Logs the handshakes of pages that may not scan, because a page cannot read why it was refused.

The first refused handshake of an origin is logged at once. Later ones are counted and logged at most once a
minute. Beyond 8 origins a minute the rest share one count, so that a flood cannot fill the log.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from server.audit import Tally

__all__ = ["RefusedOrigins"]

_ORIGINS: Final = 8
_MAX_CHARACTERS: Final = 200
_REMEDY: Final = "if its pages may scan, list the origin in device_integrity.web.origins"
_log = structlog.get_logger(__name__)


class RefusedOrigins:
    """Logs refused origins. Use it on the event loop only."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Sets the wall clock, UTC."""
        self._now = now
        self._tally: Tally[str] = Tally(most=_ORIGINS)

    def note_refusal(self, origin: str) -> None:
        """Notes a refused handshake.

        Args:
            origin: The header, of any length; empty if there was none.
        """
        now, origin = self._now(), origin[:_MAX_CHARACTERS]
        for repeats in self._tally.due(now):
            several = repeats.key is None
            _log.warning(
                "origin_refused",
                origin="several" if several else repeats.key,
                count=repeats.count,
                remedy=_REMEDY,
            )
        if self._tally.record_or_count(origin, now):
            _log.warning("origin_refused", origin=origin, count=1, remedy=_REMEDY)

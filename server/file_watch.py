"""The operator's files and the server's keys, which are read again while the server runs."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.edge.callers import CallerIdentifier
from server.keys import KeyFolder
from server.telemetry.metrics import Metrics
from server.tls import TlsFiles

__all__ = ["FileWatch"]

_log = structlog.get_logger(__name__)


class FileWatch:
    """Reads what changed, in a task of its own: however long storage takes, a removed key stops working.

    A file that cannot be used changes nothing; logs and metrics say so.
    """

    def __init__(
        self,
        *,
        callers: CallerIdentifier,
        tls: Mapping[str, TlsFiles],
        keys: KeyFolder,
        server_keys: ServerKeyList,
        revocation: RevocationFile,
        metrics: Metrics,
        now: Callable[[], datetime],
        seconds: float,
    ) -> None:
        """Takes what has files; ``start`` begins.

        Args:
            callers: Their API keys.
            tls: The listeners' certificates, by the listener's name.
            keys: The server's own keys.
            server_keys: TLS keys of proxies.
            revocation: Google's list.
            metrics: Tell how the files stand.
            now: Wall clock, UTC.
            seconds: Between two looks.
        """
        self._callers = callers
        self._tls = tls
        self._keys = keys
        self._server_keys = server_keys
        self._revocation = revocation
        self._metrics = metrics
        self._now = now
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.to_thread(self.refresh)
            await asyncio.sleep(self._seconds)

    def refresh(self) -> None:
        """Looks at every file. Blocks for a moment."""
        # The keys of the certificates are asked for after the certificates were read.
        for read in (
            self._read_api_keys,
            self._read_tls,
            self._read_keys,
            self._read_server_keys,
            self._read_revocation,
        ):
            try:
                read()
            except Exception:  # noqa: BLE001 - logged with its traceback, and looked at again
                _log.exception("file_watch_failed")

    def _read_api_keys(self) -> None:
        usable = self._callers.refresh()
        self._metrics.files.api_keys_read(
            usable=usable, seconds_to_expiry=self._callers.seconds_to_next_expiry
        )

    def _read_tls(self) -> None:
        now = self._now()
        for listener, files in self._tls.items():
            usable = files.refresh()
            self._metrics.files.tls_files_read(
                listener, usable=usable, seconds_to_expiry=(files.not_after - now).total_seconds()
            )

    def _read_keys(self) -> None:
        self._metrics.files.keys_read(usable=self._keys.refresh())

    def _read_server_keys(self) -> None:
        self._server_keys.refresh()

    def _read_revocation(self) -> None:
        now = self._now()
        usable = self._revocation.refresh(now)
        self._metrics.files.revocation_list_read(
            usable=usable, age=self._revocation.age(now), max_age=self._revocation.max_age
        )

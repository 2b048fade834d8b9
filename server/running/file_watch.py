"""Reads the files of the operator and the keys of the server again while the server runs."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

import structlog

from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.edge.callers import CallerIdentifier
from server.keyring.keys import KeyFolder
from server.running.tls import TlsFiles
from server.telemetry.metrics import Metrics

__all__ = ["FileWatch"]

_log = structlog.get_logger(__name__)


class FileWatch:
    """Reads changed files in a separate task, so that a removed key is refused even while storage is slow.

    If a file cannot be used, the previous content stays in force, and logs and metrics report it.
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
        """Sets the objects with files; ``start`` starts the task.

        Args:
            callers: The callers, with the file of API keys.
            tls: The certificates of the listeners, by the name of the listener.
            keys: The keys of the server.
            server_keys: The TLS keys of proxies.
            revocation: Google's list of revoked attestation certificates.
            metrics: Reports the state of the files.
            now: Wall clock, UTC.
            seconds: Time between two rounds.
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
        """Starts the task."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Stops the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.to_thread(self.refresh)
            await asyncio.sleep(self._seconds)

    def refresh(self) -> None:
        """Reads every file that changed. Blocks for a moment."""
        # The server keys include those of the certificates, so the certificates are read first.
        for read in (
            self._read_api_keys,
            self._read_tls,
            self._read_keys,
            self._read_server_keys,
            self._read_revocation,
        ):
            try:
                read()
            except Exception:  # noqa: BLE001 - logged with its traceback; the next round tries again
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
        now = self._now()
        for purpose, made in self._keys.signing_since.items():
            age = None if made is None else (now - made).total_seconds()
            self._metrics.files.signing_key_read(purpose, age=age)

    def _read_server_keys(self) -> None:
        self._server_keys.refresh()

    def _read_revocation(self) -> None:
        now = self._now()
        usable = self._revocation.refresh(now)
        self._metrics.files.revocation_list_read(
            usable=usable, age=self._revocation.age(now), max_age=self._revocation.max_age
        )

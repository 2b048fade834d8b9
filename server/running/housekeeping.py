"""Background work of a server: deadlines, retention, the cleanup after a crash, and files that change."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from server.access.signing_keys import Issuer
from server.checks.completion import CheckCompletion
from server.checks.expiry import HOUSEKEEPER, CheckExpiry
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.edge.callers import CallerIdentifier
from server.keyring.keys import KeyFolder
from server.running.assembly import Stores
from server.running.background import Background
from server.running.tls import TlsFiles
from server.running.webhooks import Endpoint
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_BATCH = 100
_OLDEST = 1_000
"""Scans of one tenant that are forgotten at once; a minute later come the next."""
_ORPHAN_AGE = timedelta(hours=1)
_ERASE_EVERY = 12
_ORPHANS_EVERY = 720


@dataclass(kw_only=True, eq=False)
class Housekeeper(Background):
    """Runs in a separate task. Several replicas may each run one.

    Attributes:
        expiry: Erases checks whose retention has ended.
        sweep_seconds: Time between two rounds. Each round handles deadlines, every 12th round retention,
            and every 720th round orphaned images.
        enrolment: How long an unused key stays enrolled.
        tries: How long failed checks are stored for the limits on further ones.
        most_scans: The number of scans that are remembered of one tenant.
    """

    failed = "housekeeping_failed"
    completion: CheckCompletion
    expiry: CheckExpiry
    stores: Stores
    webhooks: Sequence[Endpoint]
    metrics: Metrics
    now: Callable[[], datetime]
    sweep_seconds: float
    enrolment: timedelta
    tries: timedelta
    most_scans: int
    _round_number: int = field(default=0, init=False)
    _waits_until: datetime | None = field(default=None, init=False)

    def start(self) -> None:
        """Start the task. The first round handles everything that a stopped server may have left."""
        self.repeat(self._round, self.sweep_seconds)

    async def _round(self) -> None:
        number, self._round_number = self._round_number, self._round_number + 1
        await self.step(self._sweep, step="deadlines")
        await self.step(self._expire_reviews, step="reviews")
        await self.step(self._read_outbox, step="events")
        if number % _ERASE_EVERY == 0:
            await self.step(self._erase, step="retention")
            await self.step(self._expire_devices, step="devices")
            await self.step(self._forget_events, step="old events")
        if number % _ORPHANS_EVERY == 0:
            await self.step(self._sweep_orphans, step="orphans")

    async def _sweep(self) -> None:
        await self.completion.sweep(self.now(), limit=_BATCH)

    async def _expire_reviews(self) -> None:
        now = self.now()
        backlog = await self.stores.reviews.backlog(now)
        age = 0.0 if backlog.oldest is None else (now - backlog.oldest).total_seconds()
        self.metrics.reviews.reviews_read(waiting=backlog.open, oldest_seconds=age)
        if backlog.overdue:
            expired = await self.stores.reviews.close_overdue(now, _BATCH, actor=HOUSEKEEPER)
            self.metrics.reviews.reviews_expired(expired)

    async def _read_outbox(self) -> None:
        now = self.now()
        for endpoint in self.webhooks:
            waiting, oldest = await self.stores.events.backlog(endpoint.tenant, endpoint.name)
            age = 0.0 if oldest is None else (now - oldest).total_seconds()
            self.metrics.events.outbox_read(endpoint.name, waiting=waiting, oldest_seconds=age)

    async def _forget_events(self) -> None:
        given_up = await self.stores.events.forget(
            self.now(), endpoints=[endpoint.name for endpoint in self.webhooks], limit=_OLDEST
        )
        if given_up:
            _log.error("events_dead", events=given_up, why="no server has their endpoint any more")

    async def _erase(self) -> None:
        waited, self._waits_until = (
            self._waits_until,
            await self.stores.retention.suspended_until(self.now()),
        )
        if self._waits_until is not None and waited is None:
            _log.warning(
                "retention_waits",
                until=self._waits_until.isoformat(timespec="seconds"),
                why="a backup was restored, or an older audit log accepted: repeat the holds that are lost",
            )
        if self._waits_until is None:
            expired = await self.expiry.erase(self.now(), limit=_BATCH)
            self.metrics.checks.checks_erased(expired.erased)
            await self.expiry.erase_images(self.now(), limit=_BATCH)
        if not await self.stores.retention.forget_erased():
            _log.warning("erased_still_in_log", why="a reader, such as a backup, holds the database's log")

    async def _expire_devices(self) -> None:
        now = self.now()
        await self.stores.devices.expire(now, unused_since=now - self.enrolment)
        await self.stores.devices.forget_oldest_scans(most=self.most_scans, limit=_OLDEST)
        await self.stores.checks.expire_tries(self.now() - self.tries)
        await self.stores.retention.expire_approvals(self.now())
        await self.stores.sessions.expire_sessions(self.now())

    async def _sweep_orphans(self) -> None:
        if not await self.stores.checks.any_check():
            # If an empty database is used with the object store of another one, all objects would seem
            # orphaned.
            _log.info("orphans_not_swept", why="the database has no check yet")
            return
        await self.stores.evidence.sweep_orphans(
            older_than=self.now() - _ORPHAN_AGE, referenced=self.stores.checks.referenced
        )


@dataclass(kw_only=True, eq=False)
class FileWatch(Background):
    """Reads changed files in a separate task, so that a removed key is refused even while storage is slow.

    It asks the issuers, too, so that one that is away is known before a person cannot log in. If a file
    cannot be used, the previous content stays in force, and logs and metrics report it.

    Attributes:
        callers: The callers, with the file of API keys.
        tls: The certificates of the listeners, by the name of the listener.
        revocation: Google's list of revoked attestation certificates.
        issuers: The OIDC issuers of access tokens and of the console's log-in.
        webhooks: The endpoints, with the files of their secrets.
        seconds: Time between two rounds.
    """

    failed = "file_watch_failed"
    callers: CallerIdentifier
    tls: Mapping[str, TlsFiles]
    keys: KeyFolder
    server_keys: ServerKeyList
    revocation: RevocationFile
    issuers: Sequence[Issuer]
    webhooks: Sequence[Endpoint]
    metrics: Metrics
    now: Callable[[], datetime]
    seconds: float

    def start(self) -> None:
        """Start the task."""
        self.repeat(self._look, self.seconds)

    async def _look(self) -> None:
        await asyncio.to_thread(self.refresh)
        await self._ask_issuers()

    async def _ask_issuers(self) -> None:
        for issuer in self.issuers:
            await issuer.refresh(None)
        self.metrics.files.issuers_asked(away=any(issuer.away for issuer in self.issuers))

    def refresh(self) -> None:
        """Read every file that changed. It blocks for a moment."""
        # The server keys include those of the certificates, so the certificates are read first.
        for read in (
            self._read_api_keys,
            self._read_tls,
            self._read_keys,
            self._read_server_keys,
            self._read_revocation,
            self._read_webhooks,
        ):
            try:
                read()
            except Exception:  # noqa: BLE001 - logged with its traceback; the next round tries again
                _log.exception("file_watch_failed")

    def _read_api_keys(self) -> None:
        usable = self.callers.refresh()
        self.metrics.files.api_keys_read(usable=usable, seconds_to_expiry=self.callers.seconds_to_next_expiry)

    def _read_tls(self) -> None:
        now = self.now()
        for listener, files in self.tls.items():
            usable = files.refresh()
            self.metrics.files.tls_files_read(
                listener, usable=usable, seconds_to_expiry=(files.not_after - now).total_seconds()
            )

    def _read_keys(self) -> None:
        self.metrics.files.keys_read(usable=self.keys.refresh())
        now = self.now()
        for purpose, made in self.keys.signing_since.items():
            age = None if made is None else (now - made).total_seconds()
            self.metrics.files.signing_key_read(purpose, age=age)

    def _read_server_keys(self) -> None:
        self.server_keys.refresh()

    def _read_revocation(self) -> None:
        now = self.now()
        usable = self.revocation.refresh(now)
        self.metrics.files.revocation_list_read(
            usable=usable, age=self.revocation.age(now), max_age=self.revocation.max_age
        )

    def _read_webhooks(self) -> None:
        for endpoint in self.webhooks:
            endpoint.refresh()

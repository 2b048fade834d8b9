"""Background work of a server: deadlines, retention, the cleanup after a crash, and files that change."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from server.access.signing_keys import Issuer
from server.checks.completion import CheckCompletion
from server.checks.expiry import HOUSEKEEPER, CheckExpiry
from server.device.revocation import RevocationFile
from server.device.server_keys import ServerKeyList
from server.edge.callers import CallerIdentifier
from server.events.sending import Endpoint
from server.evidence.store import EvidenceStore
from server.keyring.keys import KeyFolder
from server.running.tls import TlsFiles
from server.storage.devices import DeviceRepository
from server.storage.errors import SchemaOutdated
from server.storage.events import EventRepository
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.reviews import ReviewRepository
from server.storage.sessions import SessionRepository
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_BATCH = 100
_OLDEST = 1_000
"""Scans of one tenant that are forgotten at once; a minute later come the next."""
_ORPHAN_AGE = timedelta(hours=1)
_ERASE_EVERY = 12
_ORPHANS_EVERY = 720


class Housekeeper:
    """Runs in a separate task. Several replicas may each run one."""

    def __init__(
        self,
        *,
        completion: CheckCompletion,
        expiry: CheckExpiry,
        evidence: EvidenceStore,
        repository: CheckRepository,
        retention: RetentionRepository,
        sessions: SessionRepository,
        metrics: Metrics,
        now: Callable[[], datetime],
        sweep_seconds: float,
        devices: DeviceRepository,
        enrolment: timedelta,
        tries: timedelta,
        most_scans: int,
        reviews: ReviewRepository,
        events: EventRepository,
        webhooks: Sequence[Endpoint],
    ) -> None:
        """Sets the stores and intervals; ``start`` starts the task.

        Args:
            expiry: Erases checks whose retention has ended.
            evidence: Erases images without a row.
            repository: Reports which images are still referred to, and erases expired marks of failed checks.
            retention: Removes erased data from the log of the database.
            sessions: Removes sessions of the console that have ended.
            sweep_seconds: Time between two rounds. Each round handles deadlines, every 12th round retention,
                and every 720th round orphaned images.
            devices: Erases expired enrolled keys and one-time tokens.
            enrolment: How long an unused key stays enrolled.
            tries: How long failed checks are stored for the limits on further ones.
            most_scans: The number of scans that are remembered of one tenant.
            reviews: Logs reviews whose deadline has passed.
            events: Deletes old events of webhooks.
            webhooks: The endpoints of this server.
        """
        self._completion = completion
        self._expiry = expiry
        self._evidence = evidence
        self._repository = repository
        self._retention = retention
        self._sessions = sessions
        self._metrics = metrics
        self._now = now
        self._sweep_seconds = sweep_seconds
        self._devices = devices
        self._enrolment = enrolment
        self._tries = tries
        self._most_scans = most_scans
        self._reviews = reviews
        self._events = events
        self._webhooks = webhooks
        self._shut_out = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Starts the task. The first round handles everything that a stopped server may have left."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Cancels the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        round_number = 0
        while True:
            await self._round(round_number)
            round_number += 1
            await asyncio.sleep(self._sweep_seconds)

    async def _round(self, number: int) -> None:
        await self._step("deadlines", self._sweep)
        await self._step("reviews", self._expire_reviews)
        await self._step("events", self._read_outbox)
        if number % _ERASE_EVERY == 0:
            await self._step("retention", self._erase)
            await self._step("devices", self._expire_devices)
            await self._step("old events", self._forget_events)
        if number % _ORPHANS_EVERY == 0:
            await self._step("orphans", self._sweep_orphans)

    async def _step(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except SchemaOutdated as error:
            # A newer version shut this server out, for ever: it says so once.
            if not self._shut_out:
                self._shut_out = True
                _log.error("housekeeping_failed", step=name, why=str(error))
        except Exception:  # noqa: BLE001 - logged with its traceback; the next round tries again
            # Unavailable storage may return, and one record that cannot be handled must not block the others
            # for ever. FinishCheck also handles deadlines itself.
            _log.exception("housekeeping_failed", step=name)

    async def _sweep(self) -> None:
        await self._completion.sweep(self._now(), limit=_BATCH)

    async def _expire_reviews(self) -> None:
        now = self._now()
        backlog = await self._reviews.backlog(now)
        age = 0.0 if backlog.oldest is None else (now - backlog.oldest).total_seconds()
        self._metrics.reviews.reviews_read(waiting=backlog.open, oldest_seconds=age)
        if backlog.overdue:
            expired = await self._reviews.close_overdue(now, _BATCH, actor=HOUSEKEEPER)
            self._metrics.reviews.reviews_expired(expired)

    async def _read_outbox(self) -> None:
        now = self._now()
        for endpoint in self._webhooks:
            waiting, oldest = await self._events.backlog(endpoint.tenant, endpoint.name)
            age = 0.0 if oldest is None else (now - oldest).total_seconds()
            self._metrics.events.outbox_read(endpoint.name, waiting=waiting, oldest_seconds=age)

    async def _forget_events(self) -> None:
        given_up = await self._events.forget(
            self._now(), endpoints=[endpoint.name for endpoint in self._webhooks], limit=_OLDEST
        )
        if given_up:
            _log.error("events_dead", events=given_up, why="no server has their endpoint any more")

    async def _erase(self) -> None:
        expired = await self._expiry.erase(self._now(), limit=_BATCH)
        self._metrics.checks.checks_erased(expired.erased)
        await self._expiry.erase_images(self._now(), limit=_BATCH)
        if not await self._retention.forget_erased():
            _log.warning("erased_still_in_log", why="a reader, such as a backup, holds the database's log")

    async def _expire_devices(self) -> None:
        now = self._now()
        await self._devices.expire(now, unused_since=now - self._enrolment)
        await self._devices.forget_oldest_scans(most=self._most_scans, limit=_OLDEST)
        await self._repository.expire_tries(now - self._tries)
        await self._retention.expire_approvals(now)
        await self._sessions.expire_sessions(now)

    async def _sweep_orphans(self) -> None:
        if not await self._repository.any_check():
            # If an empty database is used with the object store of another one, all objects would seem
            # orphaned.
            _log.info("orphans_not_swept", why="the database has no check yet")
            return
        await self._evidence.sweep_orphans(
            older_than=self._now() - _ORPHAN_AGE, referenced=self._repository.referenced
        )


class FileWatch:
    """Reads changed files in a separate task, so that a removed key is refused even while storage is slow.

    It asks the issuers, too, so that one that is away is known before a person cannot log in. If a file
    cannot be used, the previous content stays in force, and logs and metrics report it.
    """

    def __init__(
        self,
        *,
        callers: CallerIdentifier,
        tls: Mapping[str, TlsFiles],
        keys: KeyFolder,
        server_keys: ServerKeyList,
        revocation: RevocationFile,
        issuers: Sequence[Issuer],
        webhooks: Sequence[Endpoint],
        metrics: Metrics,
        now: Callable[[], datetime],
        seconds: float,
    ) -> None:
        """Sets the objects with files; ``start`` starts the task.

        Args:
            callers: The callers, with the file of API keys.
            tls: The certificates of the listeners, by the name of the listener.
            revocation: Google's list of revoked attestation certificates.
            issuers: The OIDC issuers of access tokens and of the console's log-in.
            webhooks: The endpoints, with the files of their secrets.
            seconds: Time between two rounds.
        """
        self._callers = callers
        self._tls = tls
        self._keys = keys
        self._server_keys = server_keys
        self._revocation = revocation
        self._issuers = issuers
        self._webhooks = webhooks
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
            await self._ask_issuers()
            await asyncio.sleep(self._seconds)

    async def _ask_issuers(self) -> None:
        for issuer in self._issuers:
            await issuer.refresh(None)
        self._metrics.files.issuers_asked(away=any(issuer.away for issuer in self._issuers))

    def refresh(self) -> None:
        """Reads every file that changed. Blocks for a moment."""
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

    def _read_webhooks(self) -> None:
        for endpoint in self._webhooks:
            endpoint.refresh()

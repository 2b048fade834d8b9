"""Background work of the audit log: counted events, changed configuration, checkpoints, time stamps.

The configuration is described by an event each for settings, policies, callers and keys, with the detail
``sha256`` over what it describes. An entry is written if that differs from the newest entry of the same
action, so that replicas with the same configuration write one.
"""

import json
import platform
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, Generic, TypeVar

import structlog

from server.audit import (
    SERVER_TENANT,
    Actor,
    AuditAction,
    AuditEvent,
    CheckpointSigner,
    LogChanged,
)
from server.base.version import server_version
from server.configuration.loading import shown_settings
from server.configuration.settings import Settings
from server.policies import PolicyBook
from server.running.background import Background
from server.running.timestamps import TimestampAuthority, TimestampFailed
from server.storage.audit import COMPARED, AuditLog
from server.storage.audit_witness import AuditWitness
from server.storage.database import uncancelled
from server.storage.errors import StorageError
from server.telemetry.metrics import Metrics

_log = structlog.get_logger(__name__)

_Content = TypeVar("_Content")

CHECKPOINT_INTERVAL: Final = timedelta(minutes=15)
"""Between two signed checkpoints of a growing log: whoever can write to the database can change entries
behind the newest one unseen, and an authority stamps each of them."""

_MOST_DETAILS: Final = 100
_LONGEST_VALUE: Final = 1000
_SHORT_HASH: Final = 16


@dataclass(frozen=True, slots=True)
class DescribedPart(Generic[_Content]):
    """A part of the configuration that the audit log describes.

    Attributes:
        content: Returns the part; another and unequal object once it has changed.
    """

    content: Callable[[], _Content]
    event: Callable[[_Content], AuditEvent]


def server_actor() -> Actor:
    """Return this server as an actor: the name of its machine."""
    return Actor(name=_printable(platform.node())[:64] or "server", role="server")


def settings_event(settings: Settings) -> AuditEvent:
    """Return the event of the settings: hashes of all and of each table, without secrets.

    Secrets in URLs are masked before they are hashed; other secrets lie in files that settings only name.
    """
    shown = shown_settings(settings)
    tables: dict[str, dict[str, Any]] = {}
    for key, value in shown.items():
        tables.setdefault(key.partition(".")[0], {})[key] = value
    return _event(
        AuditAction.SETTINGS_CHANGED,
        {"version": server_version(), **{name: _hash(table)[:_SHORT_HASH] for name, table in tables.items()}},
        described={"version": server_version(), "settings": shown},
    )


def policies_event(policies: PolicyBook) -> AuditEvent:
    """Return the event of the policies: the version and SHA-256 of each."""
    described = {
        name: f"version {file.policy.version}; sha256 {file.sha256.hex()}"
        for name, file in policies.policies.items()
    }
    return _event(AuditAction.POLICIES_CHANGED, described, described=described)


def callers_event(entries: Mapping[str, str]) -> AuditEvent:
    """Return the event of the callers that may call.

    Args:
        entries: What ``CallerIdentifier.entries`` returns.
    """
    return _event(AuditAction.CALLERS_CHANGED, entries, described=dict(entries))


def keys_event(names: Collection[str]) -> AuditEvent:
    """Return the event of the files in the key folder, of which only the names are described."""
    purposes: dict[str, list[str]] = {}
    for name in sorted(names):
        purposes.setdefault(name.partition("-")[0], []).append(name)
    described = {purpose: " ".join(files) for purpose, files in purposes.items()}
    return _event(AuditAction.KEYS_CHANGED, described, described=described)


def _event(action: AuditAction, detail: Mapping[str, str], *, described: Mapping[str, Any]) -> AuditEvent:
    shown = {
        _printable(key)[:64]: _printable(value)[:_LONGEST_VALUE]
        for key, value in sorted(detail.items())[:_MOST_DETAILS]
    }
    return AuditEvent(
        tenant=SERVER_TENANT,
        action=action,
        actor=server_actor(),
        detail={**shown, "described": str(len(detail)), COMPARED: _hash(described)},
    )


def _hash(value: Mapping[str, Any]) -> str:
    return sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)


_WRITE_SECONDS: Final = 1.0
_STAMPS: Final = 64


async def log_changes(log: AuditLog, described: Sequence[DescribedPart[Any]], *, now: datetime) -> None:
    """Write entries of the parts of the configuration that differ from the newest logged ones.

    Raises:
        StorageError: An entry cannot be written.
    """
    await _Changes(log, described).write(now)


Due = Callable[..., Sequence[AuditEvent]]
"""Returns the events to write: called with the time, and with ``everything=True`` at the end."""


@dataclass(kw_only=True, eq=False)
class AuditKeeper(Background):
    """Runs in two tasks, so that a slow authority delays no entry. Several replicas may each run one.

    Attributes:
        witness: Keeps the newest checkpoints outside the database.
        counted: Events that are collected: refused access, and repeated deliveries.
        described: The parts of the configuration; files change some of them while the server runs.
        interval: Time between two checkpoints of a tenant.
        seconds: Time between two rounds of checkpoints and time stamps.
        older: Whether the log had entries before this server wrote its first.
    """

    failed = "audit_keeping_failed"
    log: AuditLog
    signer: CheckpointSigner
    witness: AuditWitness
    authority: TimestampAuthority | None
    counted: Sequence[Due]
    described: Sequence[DescribedPart[Any]]
    metrics: Metrics
    now: Callable[[], datetime]
    interval: timedelta = CHECKPOINT_INTERVAL
    seconds: float
    older: bool
    _signed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Begin without any known part of the configuration."""
        self._changes = _Changes(self.log, self.described)

    def start(self) -> None:
        """Start the tasks."""
        self.repeat(self.write, min(_WRITE_SECONDS, self.seconds))
        self.repeat(self.protect, self.seconds)

    async def stop(self) -> None:
        """Stop the tasks, write the remaining entries, and sign a last checkpoint."""
        tasks = self._tasks
        await super().stop()
        if tasks:
            await self.step(lambda: self.write(everything=True))
            await self.step(lambda: self.checkpoint(timedelta()))

    async def write(self, *, everything: bool = False) -> None:
        """Write the events that were collected, and those of changed files.

        Args:
            everything: Whether the events of running minutes are written, too.
        """
        now = self.now()
        events = [event for due in self.counted for event in due(now, everything=everything)]
        if events:
            try:
                await self.log.append_all(events, now=now)
            except Exception:
                for event in events:
                    _log.error(
                        "audit_append_failed",
                        action=event.action.value,
                        actor=event.actor.name,
                        address=event.actor.address,
                        **event.detail,
                    )
                raise
        await self._changes.write(now)

    async def protect(self) -> None:
        """Sign the checkpoints that are due, request missing time stamps, and report the state."""
        await self.checkpoint(self.interval)
        now = self.now()
        since = await self.log.uncovered_since()
        self.metrics.audit.log_read(
            entries=await self.log.count(),
            uncovered_seconds=0.0 if since is None else max(0.0, (now - since).total_seconds()),
        )
        if self.authority is not None:
            await self._stamp(self.authority)

    @uncancelled
    async def checkpoint(self, at_least: timedelta) -> None:
        """Sign a checkpoint of every chain that has new entries, unless one is younger than ``at_least``.

        Nothing is signed if the log does not extend the witness, or while the witness cannot be read.
        """
        try:
            witnessed = await self.witness.read()
        except StorageError as error:
            self.metrics.audit.witness_failed()
            _log.error("audit_witness_failed", why=str(error))
            return
        try:
            made = await self.log.checkpoint(
                self.signer, now=self.now(), at_least=at_least, witnessed=witnessed
            )
        except LogChanged as error:
            self.metrics.audit.signing_stopped(stopped=True)
            _log.error("audit_log_changed", why=str(error))
            return
        self.metrics.audit.signing_stopped(stopped=False)
        self.metrics.audit.checkpoints_made(len(made))
        for signed in made:
            # Write access to the database does not suffice to remove it from the server's log.
            _log.info(
                "audit_checkpoint",
                tenant=signed.tenant,
                number=signed.number,
                sequence=signed.sequence,
                position=signed.position,
                jws=signed.jws,
            )
        self._signed += len(made)
        await self._keep_witness(witnessed)

    async def _keep_witness(self, witnessed: Sequence[str]) -> None:
        """Write the newest checkpoints, also those whose writing failed before, to the witness."""
        known, position = self.log.witness, self.log.position
        if not known or known == tuple(witnessed):
            return
        try:
            await self.witness.write(known, position=position)
        except StorageError as error:
            self.metrics.audit.witness_failed()
            _log.error("audit_witness_failed", why=str(error))
            return
        if not witnessed and (self.older or position > self._signed):
            # What others wrote before could not be compared: deleted checkpoints leave no trace.
            _log.warning("audit_witness_begun", position=position)
            event = AuditEvent(
                tenant=SERVER_TENANT,
                action=AuditAction.WITNESS_BEGUN,
                actor=server_actor(),
                detail={"position": str(position)},
            )
            await self.log.append(event, now=self.now())

    async def _stamp(self, authority: TimestampAuthority) -> None:
        for signed in await self.log.without_timestamp(_STAMPS):
            try:
                timestamp = await authority.stamp(signed.jws.encode())
            except TimestampFailed as error:
                self.metrics.audit.timestamp_failed()
                _log.warning("audit_timestamp_failed", why=str(error))
                # The others would fail, too; the next round tries again.
                return
            await self.log.add_timestamp(signed, timestamp)


class _Changes:
    """Describes each part of the configuration again only after it has changed."""

    def __init__(self, log: AuditLog, described: Sequence[DescribedPart[Any]]) -> None:
        self._log = log
        self._described = described
        self._logged: list[object] = [object()] * len(described)

    async def write(self, now: datetime) -> None:
        for position, part in enumerate(self._described):
            content = part.content()
            logged = self._logged[position]
            # The names of the keys, for example, are another set each time.
            if content is not logged and content != logged:
                await self._log.append_if_changed(part.event(content), now=now)
                self._logged[position] = content

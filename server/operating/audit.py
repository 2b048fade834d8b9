"""The audit log of an installation, as its operators read, export, verify and accept it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from server.audit import (
    ALL_LOGS,
    AuditAction,
    AuditEntry,
    CheckpointKeys,
    ExportLine,
    Head,
    LostCheckpoints,
    Problem,
    Report,
    SignedCheckpoint,
    copies_by_position,
    copies_by_tenant,
    digest_of,
    mark_line,
    subject_hashes,
    verify_export,
    without_lost,
)
from server.configuration.loading import mask_url
from server.configuration.settings import Settings
from server.edge.callers import LOCAL_TENANT
from server.keyring.key_files import KeyFiles, KeysUnusable, open_key_files
from server.keyring.keys import KeyFolder, read_audit_keys, read_memory_key
from server.operating.changes import existing_database, shell_event
from server.running.timestamps import TimestampFailed, TimestampRoots
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditExport, AuditFilter, AuditReader
from server.storage.audit_witness import AuditWitness
from server.storage.errors import StorageError, StorageUnavailable

_POLL_SECONDS: Final = 1.0
_LONGEST_DETAIL: Final = 256


@dataclass(frozen=True, slots=True)
class VerifiedLog:
    """The verification of one tenant's chain.

    Attributes:
        stamped: The time that the newest time stamp proves.
        bad_stamps: The numbers of the checkpoints whose time stamp is not valid.
    """

    report: Report
    stamped: datetime | None
    bad_stamps: tuple[int, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing was changed."""
        return self.report.whole and not self.bad_stamps


@dataclass(slots=True, kw_only=True)
class LogVerification:
    """The verification of all chains, of a database, an export or what a server sent.

    Attributes:
        stamps: The roots of time stamps; ``None`` if they are not verified.
        copies: Checkpoints that the log must have, by tenant.
        tenants: The tenants that have a log, or of whose log there is a copy of a checkpoint.
        checkpoints: The number of checkpoints in the chain over all logs; ``None`` if it was not verified.
        problems: The problems of that chain, and of copies.
        witness: With which copies the log was compared, in words; empty for none.
        place: What was verified, for people.
    """

    keys: CheckpointKeys
    stamps: TimestampRoots | None
    copies: dict[str, list[str]]
    logs: list[VerifiedLog] = field(default_factory=list)
    tenants: set[str] = field(default_factory=set)
    checkpoints: int | None = None
    problems: list[Problem] = field(default_factory=list)
    lost: list[LostCheckpoints] = field(default_factory=list)
    witness: str = ""
    place: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing was changed."""
        return not self.problems and all(log.whole for log in self.logs)

    def verify_export(self, lines: Callable[[], Iterator[ExportLine]], tenant: str | None) -> None:
        """Verify an export; see ``server.audit.verify_export``."""
        export = verify_export(lines, tenant, keys=self.keys, copies=self.copies)
        if export.checkpoints is not None:
            self.checkpoints = export.checkpoints
            self.problems += export.chain.problems
            self.lost = export.chain.lost
        self.tenants = set(export.tenants)
        for report, checkpoints in export.logs:
            self.add(report, checkpoints)

    def add(self, report: Report, checkpoints: Sequence[SignedCheckpoint]) -> None:
        """Add a chain, and verify its time stamps."""
        stamped: datetime | None = None
        bad: list[int] = []
        for checkpoint in checkpoints:
            if self.stamps is None or checkpoint.timestamp is None:
                continue
            try:
                stamped = self.stamps.verify(checkpoint.timestamp, checkpoint.jws.encode())
            except TimestampFailed:
                bad.append(checkpoint.number)
        self.logs.append(VerifiedLog(report, stamped, tuple(bad)))


@dataclass(frozen=True, slots=True)
class LocalAudit:
    """The log in the database that the settings name, with its keys and its witness; a server may run.

    Every method may raise ``ConfigurationError``, ``StorageError`` and ``AuditError``.

    Attributes:
        tenant: Whose log is meant; ``None`` for those of all tenants.
    """

    settings: Settings
    tenant: str | None = None

    @property
    def place(self) -> str:
        """The database for people, without its password."""
        return mask_url(self.settings.database_url)

    def _key_files(self) -> KeyFiles:
        return open_key_files(self.settings.key_folder, self.settings.keys)

    def keys(self, *, needed: bool = False) -> CheckpointKeys:
        """Return the public keys of checkpoints of the key folder.

        Raises:
            KeysUnusable: A key is ``needed`` and there is none.
        """
        files = self._key_files()
        found = read_audit_keys(files)
        if needed and not found:
            raise KeysUnusable(f"{files.folder}: there is no audit key; name the key folder of the server")
        return CheckpointKeys(found, place=str(files.folder))

    async def tenants(self) -> tuple[str, ...]:
        """Return the tenants that have a log."""
        async with existing_database(self.settings.database_url) as database:
            return await AuditReader(database).tenants()

    async def newest(self, chosen: AuditFilter, *, subject: str | None, most: int) -> tuple[AuditEntry, ...]:
        """Return the newest entries of one tenant, by default of the local callers', the newest last.

        Args:
            subject: Only entries about this person, who has not been erased; ``None`` for all.
        """
        tenant = self.tenant or LOCAL_TENANT
        async with existing_database(self.settings.database_url) as database:
            reader = AuditReader(database)
            if subject is not None:
                keys = read_memory_key(self._key_files()).tenant_keys(tenant)
                pseudonyms = await reader.pseudonyms_of(tenant, subject_hashes(keys, subject))
                if not pseudonyms:
                    return ()
                chosen = replace(chosen, pseudonyms=pseudonyms)
            return (await reader.entries(tenant, chosen=chosen, limit=most, newest_first=True))[::-1]

    async def export(self, since: datetime | None, *, follow: bool = False) -> AsyncGenerator[bytes, None]:
        """Yield the lines of an export; nothing if there is no log.

        Args:
            since: Entries of this time or later; ``None`` for all.
            follow: Whether to go on with new lines for ever, without heads.
        """
        async with existing_database(self.settings.database_url) as database:
            reader = AuditReader(database)
            lines = self._new_lines(reader, since) if follow else self._lines(reader, since)
            async for line in lines:
                # As a server sends it: a changed row of the database may hold any text.
                yield line.encode("utf-8", "surrogatepass") + b"\n"

    async def _lines(self, reader: AuditReader, since: datetime | None) -> AsyncIterator[str]:
        newest = await reader.newest_checkpoint(None)
        head = Head(0, "") if newest is None else Head(newest.position, digest_of(newest.jws).hex())
        # Those that are signed during an export of all logs might be in it with gaps.
        position = head.sequence if self.tenant is None else None
        known = await reader.tenants()
        for name in known if self.tenant is None else (self.tenant,):
            async for line in AuditExport(reader, name).lines(since, position=position):
                yield line
        if self.tenant is None and known:
            # All checkpoints up to this one are in the export, because it was read before them.
            yield mark_line("head", ALL_LOGS, head)

    async def _new_lines(self, reader: AuditReader, since: datetime | None) -> AsyncIterator[str]:
        exports: dict[str, AuditExport] = {}
        while True:
            for name in await reader.tenants() if self.tenant is None else (self.tenant,):
                if name not in exports:
                    exports[name] = AuditExport(reader, name)
                    async for line in exports[name].begin(since):
                        yield line
                async for line in exports[name].new():
                    yield line
            await asyncio.sleep(_POLL_SECONDS)

    async def verify(self, found: LogVerification) -> None:
        """Verify the log, and compare it with the server's witness, too."""
        found.place = self.place
        async with existing_database(self.settings.database_url) as database:
            reader = AuditReader(database)
            # The witness is read before the database, to which checkpoints are written first.
            await self._add_witness(found)
            chain = await reader.verify_checkpoints(
                found.keys, copies=copies_by_position(found.copies, found.keys)
            )
            found.checkpoints = chain.position - sum(one.last - one.first + 1 for one in chain.lost)
            found.problems += chain.problems
            found.lost = chain.lost
            # A tenant of which only copies of checkpoints are left was removed as a whole.
            found.tenants = {*await reader.tenants(), *found.copies}
            for name in sorted(found.tenants if self.tenant is None else found.tenants & {self.tenant}):
                saved = without_lost(found.copies.get(name, ()), found.keys, chain)
                report = await reader.verify(name, keys=found.keys, saved=saved)
                found.add(report, await reader.checkpoints(name))

    async def _add_witness(self, found: LogVerification) -> None:
        """Add the checkpoints of the server's witness to the copies."""
        try:
            witnessed = await AuditWitness(self.settings.witness_url).read()
        except StorageError as error:
            if not found.witness:
                raise StorageUnavailable(f"{error}; name a saved copy with --witness") from error
            found.witness += "; the witness of the server cannot be read"
            return
        if not witnessed:
            found.witness = (
                f"{found.witness}; the server's is empty"
                if found.witness
                else "empty; the log was compared with nothing outside the database"
            )
            return
        valid, invalid = copies_by_tenant(witnessed, found.keys)
        found.problems += invalid
        for name, some in valid.items():
            found.copies.setdefault(name, []).extend(some)
        newest = max((found.keys.verify(one).position for some in valid.values() for one in some), default=0)
        lacking = len(witnessed) - sum(map(len, valid.values()))
        compared = [found.witness] if found.witness else []
        if newest:
            compared.append(f"the server's, up to checkpoint {newest}")
        if lacking:
            compared.append(f"{lacking} of the {len(witnessed)} of the server cannot be verified")
        found.witness = " and ".join(compared)

    async def accept(self, reason: str, *, confirm: Callable[[Sequence[Problem]], None]) -> int:
        """Accept the log as it is, record the acceptance, and sign every log.

        Args:
            reason: Why, for the audit log.
            confirm: Called with what does not fit; raises to accept nothing.

        Returns:
            The position of the checkpoint that states the acceptance; 0 if there was nothing to accept.
        """
        self.keys(needed=True)
        signer = KeyFolder(self._key_files(), issuer=self.settings.results.issuer).keys.audit
        witness = AuditWitness(self.settings.witness_url)
        async with existing_database(self.settings.database_url) as database:
            log = AuditLog(database)
            witnessed = await witness.read()
            problems = await log.changes(signer.keys, witnessed=witnessed)
            if not problems:
                return 0
            confirm(problems)
            detail = {
                "witnessed": str(witness.position),
                "problems": str(len(problems)),
                "first": str(problems[0])[:_LONGEST_DETAIL],
            }
            made = await log.accept(
                signer,
                shell_event(AuditAction.AUDIT_ACCEPTED, reason, detail),
                now=datetime.now(UTC),
                witnessed=witnessed,
                position=witness.position,
            )
            await witness.write(log.witness, position=log.position)
            return made[0].position

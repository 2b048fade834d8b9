"""A server with a caller for each role, and decided checks, for tests of EvidenceService."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_client import ApiKey, CallRefusedError, Compliance, KeySet, Reviews, load_key_set
from server.audit import AuditAction, AuditEvent
from server.checks.expiry import HOUSEKEEPER
from server.evidence.store import delete_objects
from server.keyring.key_files import KeyFiles
from server.keyring.keys import KeyFolder
from server.storage.audit_reader import AuditReader
from server.storage.objects import open_object_store
from server.storage.records import EvidenceEntry
from server.storage.retention import RetentionRepository
from tests.server.api_keys import write_keys
from tests.server.live import LiveServer, fresh_pictures, pictures, portrait, serving, settings_for
from tests.server.policy_files import write_policy
from tests.server.raw_device import RawDevice

_CALLERS = {
    "backend": ("bank", "orchestrator"),
    "reader": ("bank", "compliance_reader"),
    "anna": ("bank", "compliance_admin"),
    "bert": ("bank", "compliance_admin"),
    "clara": ("bank", "compliance_admin"),
    "operator": ("bank", "operator"),
    "other": ("branch", "compliance_admin"),
    "rita": ("bank", "reviewer"),
    "rolf": ("bank", "reviewer"),
    "rosa": ("bank", "reviewer"),
    "stranger": ("branch", "reviewer"),
    # One who creates checks and reviews those of others.
    "maker": ("bank", "orchestrator reviewer"),
    "tester": ("bank", "orchestrator"),
    # Who rehearses reviews.
    "sandy": ("bank", "reviewer"),
}
_SANDBOX = frozenset({"tester", "sandy"})


@dataclass(frozen=True, slots=True)
class Office:
    """A running server and its callers."""

    live: LiveServer
    keys: dict[str, str]

    def of(self, name: str) -> Compliance:
        """The client of a caller."""
        return Compliance(channel=self.live.service_channel, api_key=ApiKey(self.keys[name]))

    @property
    def jwks(self) -> KeySet:
        """The published keys."""
        return load_key_set(KeyFolder(KeyFiles(self.live.settings.key_folder)).keys.results.jwks())

    def reviews_of(self, name: str) -> Reviews:
        """The client of a reviewer."""
        return Reviews(channel=self.live.service_channel, api_key=ApiKey(self.keys[name]))

    async def check(
        self,
        subject: str,
        *,
        scanned: bool = False,
        consent: str = "c-1",
        policy: str = "",
        by: str = "backend",
        person: str | None = None,
    ) -> str:
        """A decided check: of a genuine person or another ``person``, or cancelled before a scan."""
        metadata = ApiKey(self.keys[by]).metadata
        upload = await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(
                image=portrait(), subject_reference=subject, consent_reference=consent, policy=policy
            ),
            metadata=metadata,
        )
        if scanned:
            stream = await RawDevice(self.live.device, upload).open()
            await stream.run_attempt(fresh_pictures(None if person is None else pictures(person)))
            assert await stream.outcome() is None
        else:
            await self.live.service.CancelCheck(
                service_pb2.CancelCheckRequest(check_id=upload.check_id), metadata=metadata
            )
        return upload.check_id

    async def erase_images(self, check_id: str) -> tuple[EvidenceEntry, ...]:
        """Erase the images of a check, as at the end of their retention; return what was erased."""
        async with self.live.database() as database:
            check = await self.live.record(check_id)
            assert check.images_until is not None
            action = AuditAction.EVIDENCE_EXPIRED
            event = AuditEvent(tenant="bank", action=action, actor=HOUSEKEEPER, check_id=check.check_id)
            removed = await RetentionRepository(database).expire_images(
                check.check_id, check.images_until, event=event
            )
            assert removed is not None
            await delete_objects(open_object_store(self.live.settings.objects_url), removed)
        return removed

    async def open_check(self, subject: str) -> str:
        """A check that no device has scanned yet."""
        upload = await self.live.service.UploadTrustedImage(
            service_pb2.UploadTrustedImageRequest(image=portrait(), subject_reference=subject),
            metadata=ApiKey(self.keys["backend"]).metadata,
        )
        return upload.check_id


@asynccontextmanager
async def open_office(
    folder: Path,
    *,
    console: Mapping[str, object] | None = None,
    trusted_proxies: Sequence[str] = (),
    **tables: Any,
) -> AsyncIterator[Office]:
    """Serve until the block ends.

    Args:
        console: The settings of a console; without them there is none.
    """
    entries = {
        name: f'tenant = "{tenant}"\nroles = {json.dumps(role.split())}\n'
        f"sandbox = {json.dumps(name in _SANDBOX)}"
        for name, (tenant, role) in _CALLERS.items()
    }
    listeners, keys = write_keys(folder, entries)
    if console is not None:
        listeners["console"] = {"port": 0} | dict(console)
    if trusted_proxies:
        listeners["trusted_proxies"] = trusted_proxies
    settings = settings_for(folder, sandbox=False, listeners=listeners, **tables)
    write_policy(folder / "policies", "test", portrait="bytes", evidence_seconds=2 * 86_400, images_seconds=0)
    for name, four_eyes in (("sampled", "false"), ("in-pairs", "true")):
        review = f"[review]\nsample_percent = 100.0\nfour_eyes = {four_eyes}\n"
        write_policy(folder / "policies", name, evidence_seconds=8 * 86_400, tables=review)
    write_policy(
        folder / "policies",
        "enrols",
        top='consent = "required"',
        evidence_seconds=8 * 86_400,
        images_seconds=86_400,
        tables="[enrolment]\nretention_seconds = 604800\n[portrait]\nmin_eye_distance = 40.0\n",
    )
    write_policy(folder / "policies", "thrice", tables="[review]\nfailures = 3\n")
    async with serving(settings) as live:
        yield Office(live, keys)


async def audit_entries(office: Office, check_id: str) -> list[tuple[str, str, str]]:
    """Action, actor and purpose of every entry in the audit log on a check."""
    async with office.live.database() as database:
        entries = await AuditReader(database).entries("bank")
    return [(one.action, one.actor, one.purpose) for one in entries if one.check_id == check_id]


async def refused_call(call: object) -> CallRefusedError:
    """The error with which the client ends a call; fails if it succeeds."""
    with pytest.raises(CallRefusedError) as caught:
        await call  # type: ignore[misc]  # any awaitable
    return caught.value


async def archive_of(office: Office, check_id: str) -> bytes:
    """The archive of a check, exported for the purpose ``case 17``."""
    parts = [part async for part in office.of("reader").export_evidence(check_id, purpose="case 17")]
    assert all(len(part) <= 64 * 1024 for part in parts)
    return b"".join(parts)

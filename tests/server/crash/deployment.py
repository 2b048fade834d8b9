"""A deployment with keys, checks, images and an audit log, made by the product's own code."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from prometheus_client import CollectorRegistry

from device_integrity.stream import FrameMark
from server.audit import Actor, AuditAction, AuditEvent, subject_hash
from server.backup import copy_objects, dump_database, pack_keys
from server.checks.completion import CheckCompletion, Deliveries
from server.checks.running import RunningScans
from server.compliance.erasing import Erasure
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.domain.terms import ImagePurpose, SealedKind
from server.domain.tries import TryKind, TryMark
from server.keyring.key_files import open_key_files
from server.keyring.keys import KeyFolder, KeyRing
from server.keyring.sealing import Context, seal
from server.running.assembly import Stores, check_recorder, evidence_environment, open_stores
from server.storage.holds import StoredHold
from server.storage.objects import open_object_store
from server.storage.records import CheckRecord
from server.telemetry.metrics import Metrics
from tests.server.databases import make_tables
from tests.server.private_files import private
from tests.server.storage.samples import NOW, SESSION_KEY, after, decision, enrolled_key, new_check
from tests.server.verdict.samples import OUTCOME, RECORD

TENANT: Final = "default"
OWNER: Final = "bank"
"""A tenant with keys of its own."""
ERASED_PERSON: Final = "customer-1"
FIRST, SECOND, HELD, BYSTANDER, BANK = (UUID(int=number, version=4) for number in range(1, 6))
"""Two checks of one person, a check on hold, one of another person, and one of a tenant with own keys."""
EXPIRED: Final = frozenset({FIRST, SECOND})
"""The checks whose retention has ended at ``LATER``; that of ``HELD`` has, too, but a hold keeps it."""
LATER: Final = after(5_000)
_RETAIN: Final = {FIRST: 1_000, SECOND: 1_000, HELD: 1_000}
_PERSON: Final = {FIRST: ERASED_PERSON, SECOND: ERASED_PERSON}
_ACTOR: Final = Actor(name="anna", role="compliance_admin")


@dataclass(frozen=True, slots=True)
class Deployment:
    """The state of a server on disk.

    Attributes:
        database_url: Its database, if it is not the file in the folder.
        data: The name of the folder of its data; ``"restored"`` for the target of a restoration.
    """

    folder: Path
    database_url: str = ""
    data: str = "data"

    @property
    def config(self) -> Path:
        """The settings file."""
        path = self.folder / f"{self.data}.toml"
        storage = f'[storage]\ndatabase_url = "{self.database_url}"\n' if self.database_url else ""
        path.write_text(
            f'data_dir = "{self.folder / self.data}"\n{storage}'
            + "".join(
                f'[[keys.encryption]]\nkind = "file"\npath = "{kek}"\n'
                for kek in (self.new_kek, self.folder / "kek")
                if kek.exists()
            )
            + f"[keys.tenants.{OWNER}]\n"
            + f'[webhooks.endpoints.hook]\ntenant = "{TENANT}"\nurl = "https://bank.example"\n'
            f'secret_files = ["{self.folder / "hook.whsec"}"]\n'
        )
        path.chmod(0o600)
        return path

    @property
    def new_kek(self) -> Path:
        """A key-encryption key that comes first once the file exists."""
        return self.folder / "new_kek"

    @property
    def settings(self) -> Settings:
        """The settings."""
        return load_settings(self.config).settings

    @property
    def output(self) -> Path:
        """What its processes wrote."""
        return self.folder / "output.txt"

    @property
    def backup(self) -> Path:
        """Backups of its database, objects and keys."""
        return self.folder / "backup"

    @property
    def restored(self) -> "Deployment":
        """An empty deployment to restore the backups to."""
        return replace(self, data="restored", database_url="")

    def keys(self) -> KeyRing:
        """The keys; those that are missing are made."""
        settings = self.settings
        return KeyFolder(open_key_files(settings.key_folder, settings.keys)).keys

    @asynccontextmanager
    async def opened(self) -> AsyncIterator["Opened"]:
        """Open the stores, as a server does."""
        settings, keys, metrics = self.settings, self.keys(), Metrics(CollectorRegistry())
        async with open_stores(
            settings.database_url,
            objects=open_object_store(settings.objects_url),
            keys=keys,
            metrics=metrics,
            webhooks=settings.webhooks.endpoints,
        ) as stores:
            completion = CheckCompletion(
                repository=stores.checks,
                recorder=check_recorder(settings, stores=stores, pack=OUTCOME.pack, keys=keys),
                running=RunningScans(),
                evidence=stores.evidence,
                records=stores.records,
                reviews=stores.reviews,
                vault=stores.vault,
                deliveries=Deliveries(keys.memory.tenant_key),
                metrics=metrics,
            )
            environment = evidence_environment(settings, stores=stores, completion=completion, keys=keys)
            yield Opened(settings, keys, stores, completion, environment.erasure)


@dataclass(frozen=True, slots=True)
class Opened:
    """An open deployment."""

    settings: Settings
    keys: KeyRing
    stores: Stores
    completion: CheckCompletion
    erasure: Erasure


async def seed(deployment: Deployment) -> None:
    """Make keys and five decided checks with images, device rows and entries of the audit log; back up."""
    backup_key = deployment.folder / "backup.key"
    for path in (deployment.folder / "kek", backup_key):
        make_kek(path)
    settings = deployment.settings
    await make_tables(settings.database_url)
    async with deployment.opened() as opened:
        for check_id in (FIRST, SECOND, HELD, BYSTANDER, BANK):
            await _decided(opened, check_id)
        hold = StoredHold(reference="case-17", reason="court", placed_by="anna", place_time=after(60))
        await opened.stores.holds.place(HELD, hold, event=_event(AuditAction.HOLD_PLACED, HELD))
    deployment.backup.mkdir()
    await dump_database(
        settings.database_url, deployment.backup / "database.backup", now=NOW, progress=lambda *_: None
    )
    await copy_objects(
        open_object_store(settings.objects_url),
        open_object_store(str(deployment.backup / "objects")),
        progress=lambda _: None,
    )
    packed = deployment.backup / "keys.json"
    await asyncio.to_thread(pack_keys, settings.key_folder, packed, key_file=backup_key)


def make_kek(path: Path) -> None:
    """Make a file with a key of 32 bytes."""
    private(path, base64.b64encode(secrets.token_bytes(32)))


async def _decided(opened: Opened, check_id: UUID) -> None:
    stores, keys = opened.stores, opened.keys
    tenant, person = tenant_of(check_id), _PERSON.get(check_id, "customer-2")
    await stores.checks.create(
        _new_check(check_id, keys), None, tries=(TryMark(TryKind.SUBJECT, secrets.token_bytes(32)),)
    )
    await stores.checks.acquire_lease(
        check_id, session_key=SESSION_KEY, proven=False, owner="w", now=after(1), lease_seconds=15
    )
    pictures = []
    for number, kind in enumerate((ImagePurpose.EVIDENCE_FRAME, ImagePurpose.AUDIT_IMAGE)):
        entry, ciphertext = await stores.evidence.seal(
            check_id,
            tenant=tenant,
            kind=kind,
            image=image_of(check_id, number),
            media_type="image/jpeg",
            attempt=1,
            frame_index=number,
        )
        await stores.evidence.put(entry, ciphertext)
        pictures.append(entry)
    mark = FrameMark(exact=secrets.token_bytes(32), perceptual=secrets.token_bytes(32))
    hashed = keys.memory.subject_hash(tenant, person)
    await stores.memory.record(tenant=tenant, subject=hashed, check_id=str(check_id), time=NOW, marks=[mark])
    await stores.devices.enrol(
        enrolled_key(
            check_id, tenant=tenant, key_id=check_id.bytes, subject_hash=hashed, use_time=datetime.now(UTC)
        )
    )
    outcome = replace(OUTCOME, check_id=check_id, subject_reference=person)
    record = replace(
        RECORD, tenant=tenant, subject_reference=person, outcome=outcome, result=result_of(check_id)
    )
    made = decision(*pictures, retain_seconds=_RETAIN.get(check_id, 1e8))
    await stores.checks.decide(check_id, epoch=1, decision=replace(made, record=stores.vault.seal(record)))
    known = subject_hash(keys.memory.tenant_key(tenant), person)
    delivered = replace(_event(AuditAction.RESULT_DELIVERED, check_id), tenant=tenant, subject=known)
    await stores.checks.finish(check_id, after(30), first=delivered)


def _new_check(check_id: UUID, keys: KeyRing) -> CheckRecord:
    tenant, person = tenant_of(check_id), _PERSON.get(check_id, "customer-2")
    aad = Context(tenant=tenant, check_id=check_id, kind=SealedKind.PORTRAIT_TEMPLATE)
    return replace(
        new_check(check_id, tenant=tenant),
        subject_reference=person,
        portrait_template=seal(b"template", wrapping_keys=keys.wrapping_keys, aad=aad),
    )


def tenant_of(check_id: UUID) -> str:
    """Return the tenant of a check."""
    return OWNER if check_id == BANK else TENANT


def image_of(check_id: UUID, number: int) -> bytes:
    """Return an image of a check. It does not contain the check's identifier, which log lines have."""
    return sha256(f"image {number} of {check_id}".encode()).hexdigest().encode()


def result_of(check_id: UUID) -> bytes:
    """Return the result of a check, which was acknowledged."""
    return f"the result of {check_id}".encode()


def _event(action: AuditAction, check_id: UUID) -> AuditEvent:
    return AuditEvent(tenant=TENANT, action=action, actor=_ACTOR, check_id=check_id, purpose="case")

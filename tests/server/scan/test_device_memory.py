"""The recognition of repeated scans with the database's scan memory."""

import secrets
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from sqlalchemy import select

from device_integrity.stream import key_mark
from facegate_protocol import load_public_key, public_key_der
from server.base.worker_pool import WorkerPool
from server.device.evidence import EvidenceFinding
from server.keyring.keys import MemoryKey
from server.keyring.sealing import WrappingKeys
from server.scan.device_memory import DeviceMemory
from server.storage.database import open_database
from server.storage.devices import DeviceRepository
from server.storage.repository import CheckRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.tables import device_key_uses
from tests.server.databases import make_tables
from tests.server.storage.samples import NOW, new_check

# SubjectPublicKeyInfo of P-256 with a compressed point of 33 octets (RFC 5480), up to the point.
_COMPRESSED_HEAD = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")


def _compressed(key: ec.EllipticCurvePublicKey) -> bytes:
    return _COMPRESSED_HEAD + key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


@pytest.mark.parametrize("first", ["whole", "compressed"])
async def test_a_session_key_is_recognised_however_its_point_is_written(tmp_path: Path, first: str) -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    whole, compressed = public_key_der(public), _compressed(public)
    assert whole != compressed
    assert load_public_key(compressed) == public
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database, pool, key = open_database(url), WorkerPool(workers=1), MemoryKey(bytes(32))
    store = DatabaseScanMemory(
        database,
        tenant_key=key.tenant_key,
        wrapping_keys=WrappingKeys(newest="k", keys={"k": bytes(32)}),
        random=secrets.token_bytes,
    )
    memory = DeviceMemory(store, tenant_key=key.tenant_key, hash_subject=key.subject_hash, pool=pool)
    checks = CheckRepository(database)
    outcomes = []
    for session_key in (whole, compressed) if first == "whole" else (compressed, whole):
        record = await checks.create(new_check(), None)
        frames = await memory.compare_frames(record, (), images=(), pictures={})
        found = await memory.compare_scan(
            record, frames=frames, findings=(), session_key=session_key, now=NOW
        )
        await memory.keep(record, found, now=NOW)
        reasons = {test.name: test.reason for test in found.tests}
        assert "memory.attestation_key" not in reasons
        outcomes.append(reasons["memory.session_key"])
    assert outcomes == ["KEY_NEW", "KEY_REUSED"]
    pool.close()
    await database.close()


async def test_a_key_of_a_sandbox_scan_is_new_to_a_real_one(tmp_path: Path) -> None:
    session_key = public_key_der(ec.generate_private_key(ec.SECP256R1()).public_key())
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database, pool, key = open_database(url), WorkerPool(workers=1), MemoryKey(bytes(32))
    store = DatabaseScanMemory(
        database,
        tenant_key=key.tenant_key,
        wrapping_keys=WrappingKeys(newest="k", keys={"k": bytes(32)}),
        random=secrets.token_bytes,
    )
    memory = DeviceMemory(store, tenant_key=key.tenant_key, hash_subject=key.subject_hash, pool=pool)
    checks = CheckRepository(database)
    outcomes = []
    for sandbox in (True, False, True, False):
        record = await checks.create(replace(new_check(), sandbox=sandbox), None)
        frames = await memory.compare_frames(record, (), images=(), pictures={})
        found = await memory.compare_scan(
            record, frames=frames, findings=(), session_key=session_key, now=NOW
        )
        await memory.keep(record, found, now=NOW)
        outcomes.append({test.name: test.reason for test in found.tests}["memory.session_key"])
    assert outcomes == ["KEY_NEW", "KEY_NEW", "KEY_REUSED", "KEY_REUSED"]
    # Erasing a subject covers both, also after a rotation of the memory key.
    devices = DeviceRepository(database)
    hashes = MemoryKey(bytes([1]) * 32, earlier=(bytes(32),)).subject_hashes("default", "subject-1")
    assert await devices.forget_subject("default", "subject-1", hashes=hashes) == 4
    pool.close()
    await database.close()


async def test_people_of_a_device_are_counted_by_hashes_that_a_rotation_keeps(tmp_path: Path) -> None:
    session = public_key_der(ec.generate_private_key(ec.SECP256R1()).public_key())
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database, pool, first = open_database(url), WorkerPool(workers=1), MemoryKey(bytes(32))
    store = DatabaseScanMemory(
        database,
        tenant_key=first.tenant_key,
        wrapping_keys=WrappingKeys(newest="k", keys={"k": bytes(32)}),
        random=secrets.token_bytes,
    )
    checks = CheckRepository(database)
    # The mark of the device's key, as a verifier that has not read the next memory key makes it.
    finding = EvidenceFinding(
        verifier="app_attest",
        checks=(),
        lasting_key=key_mark(b"device", tenant_key=first.tenant_key("default")),
    )
    counted = []
    for key in (first, MemoryKey(bytes([1]) * 32, earlier=(bytes(32),))):
        memory = DeviceMemory(store, tenant_key=key.tenant_key, hash_subject=key.subject_hash, pool=pool)
        for subject in ("anna", "bert", "anna"):
            record = await checks.create(replace(new_check(), subject_reference=subject), None)
            frames = await memory.compare_frames(record, (), images=(), pictures={})
            found = await memory.compare_scan(
                record, frames=frames, findings=[finding], session_key=session, now=NOW
            )
            await memory.keep(record, found, now=NOW)
            counted.append({test.name: test.detail for test in found.tests}["memory.subjects"])
    assert [detail.split("for ")[1].split()[0] for detail in counted] == ["1", "2", "2", "2", "2", "2"]
    stored = await database.read(
        lambda connection: set(connection.scalars(select(device_key_uses.c.subject_hash)))
    )
    assert stored == {first.subject_hash("default", "anna"), first.subject_hash("default", "bert")}
    pool.close()
    await database.close()

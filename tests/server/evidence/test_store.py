import asyncio
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from server.evidence.store import EvidenceAltered, EvidenceStore
from server.keyring.sealing import SealBroken, WrappingKeys, WrappingKeyUnknown
from server.storage.database import open_database
from server.storage.errors import ObjectNotFound
from server.storage.objects import ObjectStore, open_object_store
from server.storage.records import EvidenceEntry, ImagePurpose
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from tests.server.databases import make_tables
from tests.server.storage.samples import after, decision, new_check

_KEYS = WrappingKeys(newest="k", keys={"k": bytes(range(32))})
_PICTURE = b"\xff\xd8\xff the bytes of a picture \xff\xd9" * 50


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_object_store(str(tmp_path / "objects"))


@pytest.fixture
def store(objects: ObjectStore) -> EvidenceStore:
    return EvidenceStore(objects, wrapping_keys=_KEYS, random=secrets.token_bytes)


async def saved(store: EvidenceStore, check_id: UUID) -> EvidenceEntry:
    entry, ciphertext = await store.seal(
        check_id,
        tenant="default",
        kind=ImagePurpose.EVIDENCE_FRAME,
        image=_PICTURE,
        media_type="image/jpeg",
        attempt=2,
        frame_index=17,
        rotation=90,
        mirrored=True,
    )
    await store.put(entry, ciphertext)
    return entry


async def test_a_picture_is_given_back_as_it_came(store: EvidenceStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    assert await store.load(check_id, entry, tenant="default") == _PICTURE
    assert (entry.attempt, entry.frame_index, entry.rotation, entry.mirrored) == (2, 17, 90, True)
    assert (entry.kind, entry.media_type, entry.key_id) == (ImagePurpose.EVIDENCE_FRAME, "image/jpeg", "k")


async def test_the_picture_lies_encrypted(store: EvidenceStore, objects: ObjectStore) -> None:
    entry = await saved(store, uuid4())
    stored = await objects.get(entry.object_key)
    assert b"picture" not in stored
    assert len(stored) == len(_PICTURE) + 29


async def test_the_same_picture_saved_at_once_gives_separate_objects(store: EvidenceStore) -> None:
    check_id = uuid4()
    entries = await asyncio.gather(*(saved(store, check_id) for _ in range(8)))
    assert len({entry.object_key for entry in entries}) == 8


async def test_a_picture_opens_for_its_own_tenant_check_and_kind_only(store: EvidenceStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    with pytest.raises(SealBroken):
        await store.load(uuid4(), entry, tenant="default")
    with pytest.raises(SealBroken):
        await store.load(check_id, replace(entry, kind=ImagePurpose.AUDIT_IMAGE), tenant="default")
    with pytest.raises(SealBroken):
        await store.load(check_id, entry, tenant="another")


async def test_an_altered_object_is_noticed(store: EvidenceStore, objects: ObjectStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    stored = bytearray(await objects.get(entry.object_key))
    stored[100] ^= 1
    await objects.put(entry.object_key, bytes(stored))
    with pytest.raises(SealBroken):
        await store.load(check_id, entry, tenant="default")


async def test_an_object_exchanged_for_another_of_the_check_is_noticed(store: EvidenceStore) -> None:
    check_id = uuid4()
    one, two = await saved(store, check_id), await saved(store, check_id)
    with pytest.raises(SealBroken):
        await store.load(check_id, replace(one, object_key=two.object_key), tenant="default")


async def test_a_wrong_recorded_hash_is_noticed(store: EvidenceStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    with pytest.raises(EvidenceAltered):
        await store.load(check_id, replace(entry, sha256=bytes(32)), tenant="default")


async def test_a_lost_wrapping_key_is_named(objects: ObjectStore, store: EvidenceStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    other = EvidenceStore(
        objects, wrapping_keys=WrappingKeys(newest="x", keys={"x": bytes(32)}), random=secrets.token_bytes
    )
    with pytest.raises(WrappingKeyUnknown, match="k"):
        await other.load(check_id, entry, tenant="default")


async def test_an_erased_picture_is_gone(store: EvidenceStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    await store.erase([entry])
    await store.erase([entry])
    with pytest.raises(ObjectNotFound):
        await store.load(check_id, entry, tenant="default")


async def test_a_sweep_deletes_old_orphans_and_nothing_else(store: EvidenceStore, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'checks.db'}"
    await make_tables(url)
    database = open_database(url)
    repository = CheckRepository(database)
    check = new_check()
    await repository.create(check, None)
    kept = await saved(store, check.check_id)
    await repository.decide(check.check_id, epoch=None, decision=decision(kept))
    orphans = [await saved(store, check.check_id) for _ in range(3)]

    an_hour = timedelta(hours=1)
    early, late = datetime.now(UTC) - an_hour, datetime.now(UTC) + an_hour
    assert await store.sweep_orphans(older_than=early, referenced=repository.referenced) == 0
    assert await store.sweep_orphans(older_than=late, referenced=repository.referenced) == 3
    assert await store.sweep_orphans(older_than=late, referenced=repository.referenced) == 0
    assert await store.load(check.check_id, kept, tenant="default") == _PICTURE
    for orphan in orphans:
        with pytest.raises(ObjectNotFound):
            await store.load(check.check_id, orphan, tenant="default")

    # A crash between the erasure of the rows and that of the objects leaves orphans.
    await RetentionRepository(database).erase(check.check_id, after(2000))
    assert await store.sweep_orphans(older_than=late, referenced=repository.referenced) == 1
    await database.close()

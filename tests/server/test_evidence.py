"""The evidence of a check: its facial record, its sealed records, and its images."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import cv2
import numpy as np
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import String

from device_integrity.device_test import Manipulation
from liveness import AttackType
from matcher.records import open_trusted_image
from server.domain.terms import ImagePurpose, pair_terms, reference_term
from server.evidence.archive import facial_record
from server.evidence.records import RecordVault, record_terms
from server.evidence.store import EvidenceAltered, EvidenceStore
from server.keyring.sealing import SealBroken, WrappingKeys
from server.storage.database import open_database
from server.storage.errors import ObjectNotFound
from server.storage.evidence_records import StoredRecord
from server.storage.objects import ObjectStore, open_object_store
from server.storage.records import EvidenceEntry
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.tables import record_terms as columns
from server.telemetry.metrics import Metrics
from server.verdict import CheckStatus, CheckVerdict, FailureReason
from server.verdict.record import ImageFacts, RecordUnreadable
from tests.server.databases import make_tables
from tests.server.storage.samples import after, decision, new_check
from tests.server.verdict.samples import OUTCOME, RECORD, camera_sign
from vision.image import encode_jpeg

_UPRIGHT = replace(RECORD.images[0], rotation=0, mirrored=False)


def _frame() -> bytes:
    """A frame that is white at its left and black elsewhere, 90 wide and 60 high."""
    pixels = np.zeros((60, 90, 3), np.uint8)
    pixels[:, :30] = 255
    return encode_jpeg(pixels, quality=95)


def _pixels(facts: ImageFacts) -> np.ndarray:
    record = facial_record(_frame(), facts)
    assert record is not None
    decoded = cv2.imdecode(np.frombuffer(open_trusted_image(record).image, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert decoded is not None
    return np.asarray(decoded)


def test_an_upright_frame_is_stored_byte_for_byte() -> None:
    record = facial_record(_frame(), _UPRIGHT)
    assert record is not None
    assert record.startswith(b"FAC\x00030\x00")
    assert open_trusted_image(record).image == _frame()


def test_a_turned_frame_is_made_upright() -> None:
    upright = _pixels(replace(_UPRIGHT, rotation=90))
    assert upright.shape == (90, 60)
    # What was at the left is at the top.
    assert upright[5].mean() > 200
    assert upright[-5].mean() < 50


def test_a_mirrored_frame_is_mirrored_back() -> None:
    assert _pixels(replace(_UPRIGHT, mirrored=True))[:, -5].mean() > 200


def test_what_is_no_image_becomes_no_record() -> None:
    assert facial_record(b"no image", _UPRIGHT) is None
    assert facial_record(b"no image", replace(_UPRIGHT, rotation=180)) is None


_KEYS = WrappingKeys(newest="k", keys={"k": bytes(32)})


def _sign(payload: bytes, *, tenant: str | None, sandbox: bool, kind: str = "facegate-result") -> str:
    return f"{payload!r} {tenant} {sandbox} {kind}"


_VAULT = RecordVault(wrapping_keys=_KEYS, tenant_key=lambda tenant: tenant.encode() * 4, sign=_sign)


def _stored() -> StoredRecord:
    sealed = _VAULT.seal(RECORD)
    return StoredRecord(
        check_id=OUTCOME.check_id,
        tenant=RECORD.tenant,
        version=sealed.version,
        decide_time=datetime.now(UTC),
        sealed=sealed.sealed,
    )


def test_a_record_opens_as_it_was_sealed() -> None:
    stored = _stored()
    assert _VAULT.open(stored) == RECORD
    assert _VAULT.delivery(stored).result == RECORD.result


def test_nothing_of_the_record_lies_in_clear() -> None:
    sealed = _VAULT.seal(RECORD)
    for secret in (b"subject", b"consent", RECORD.result, b"standard"):
        assert secret not in sealed.sealed.ciphertext
    assert not any("subject:subject" in term or "consent:consent" in term for term in sealed.terms)


@pytest.mark.parametrize("changed", [{"tenant": "other"}, {"check_id": uuid4()}, {"version": 2}])
def test_a_record_opens_in_its_own_row_only(changed: dict[str, object]) -> None:
    with pytest.raises(RecordUnreadable):
        _VAULT.open(replace(_stored(), **changed))  # type: ignore[arg-type]  # one field of its own type


_KEY = bytes(32)


def test_a_record_is_found_by_what_the_filters_need() -> None:
    device = replace(OUTCOME.device, signs=(camera_sign(1.0),))
    assert set(record_terms(replace(OUTCOME, device=device), tenant_key=_KEY)) == {
        "all",
        "status:FAILURE",
        "reason:CONDITIONS",
        "reason:SPOOF",
        "attack:INJECTION",
        "policy:standard",
        "sandbox:yes",
        "sign:virtual_camera",
        "sign_attack:virtual_camera:INJECTION",
        "sign_reason:virtual_camera:CONDITIONS",
        "sign_reason:virtual_camera:SPOOF",
        "sign_status:virtual_camera:FAILURE",
        "sign_sandbox:virtual_camera:yes",
        "sign_policy:virtual_camera:standard",
        "attack_reason:INJECTION:CONDITIONS",
        "attack_reason:INJECTION:SPOOF",
        "attack_status:INJECTION:FAILURE",
        "attack_sandbox:INJECTION:yes",
        "attack_policy:INJECTION:standard",
        "reason_status:CONDITIONS:FAILURE",
        "reason_status:SPOOF:FAILURE",
        "reason_sandbox:CONDITIONS:yes",
        "reason_sandbox:SPOOF:yes",
        "reason_policy:CONDITIONS:standard",
        "reason_policy:SPOOF:standard",
        "status_sandbox:FAILURE:yes",
        "status_policy:FAILURE:standard",
        "sandbox_policy:yes:standard",
        reference_term("subject", "subject", tenant_key=_KEY),
        reference_term("consent", "consent", tenant_key=_KEY),
    }


def test_every_term_fits_into_its_column() -> None:
    longest = {
        "sign": max((one.value for one in Manipulation), key=len),
        "attack": max((one.value for one in AttackType), key=len),
        "reason": max((one.value for one in FailureReason), key=len),
        "status": max((one.value for one in CheckStatus), key=len),
        "sandbox": "yes",
        "policy": "p" * 64,
    }
    column = columns.c.term.type
    assert isinstance(column, String)
    assert column.length is not None
    assert max(map(len, pair_terms(longest.items()))) <= column.length


@pytest.mark.parametrize(
    ("change", "left_out"),
    [
        # It is not suspected.
        ({"device": replace(OUTCOME.device, signs=(camera_sign(0.3),))}, ("sign:",)),
        (
            {"verdict": CheckVerdict(CheckStatus.NOT_DECIDED, (FailureReason.SERVER_FAULT,))},
            ("attack:",),
        ),
        ({"subject_reference": "", "consent_reference": ""}, ("subject:", "consent:")),
    ],
)
def test_what_there_is_not_has_no_term(change: dict[str, Any], left_out: tuple[str, ...]) -> None:
    terms = record_terms(replace(OUTCOME, **change), tenant_key=_KEY)
    assert not any(term.startswith(left_out) for term in terms)


def test_a_reference_reveals_nothing_without_the_key_of_its_tenant() -> None:
    one = reference_term("subject", "anna", tenant_key=_KEY)
    assert "anna" not in one
    assert one != reference_term("subject", "anna", tenant_key=bytes(31) + b"\x01")
    assert one.partition(":")[2] != reference_term("consent", "anna", tenant_key=_KEY).partition(":")[2]


_METRICS = Metrics(CollectorRegistry())
_STORE_KEYS = WrappingKeys(newest="k", keys={"k": bytes(range(32))})
_PICTURE = b"\xff\xd8\xff the bytes of a picture \xff\xd9" * 50


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return open_object_store(str(tmp_path / "objects"))


@pytest.fixture
def store(objects: ObjectStore) -> EvidenceStore:
    return EvidenceStore(objects, wrapping_keys=_STORE_KEYS, metrics=_METRICS)


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


async def test_a_picture_lies_encrypted_and_is_given_back_as_it_came(
    store: EvidenceStore, objects: ObjectStore
) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    stored = await objects.get(entry.object_key)
    assert b"picture" not in stored
    assert len(stored) == len(_PICTURE) + 29
    assert await store.load(check_id, entry, tenant="default") == _PICTURE
    facts = entry.facts
    assert (facts.attempt, facts.frame_index, facts.rotation, facts.mirrored) == (2, 17, 90, True)
    assert (facts.purpose, facts.media_type, entry.key_id) == (ImagePurpose.EVIDENCE_FRAME, "image/jpeg", "k")


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
        await store.load(
            check_id,
            replace(entry, facts=replace(entry.facts, purpose=ImagePurpose.AUDIT_IMAGE)),
            tenant="default",
        )
    with pytest.raises(SealBroken):
        await store.load(check_id, entry, tenant="another")


async def test_an_object_exchanged_for_another_of_the_check_is_noticed(store: EvidenceStore) -> None:
    check_id = uuid4()
    one, two = await saved(store, check_id), await saved(store, check_id)
    with pytest.raises(SealBroken):
        await store.load(check_id, replace(one, object_key=two.object_key), tenant="default")


async def test_a_wrong_recorded_hash_is_noticed(store: EvidenceStore) -> None:
    check_id = uuid4()
    entry = await saved(store, check_id)
    with pytest.raises(EvidenceAltered):
        await store.load(
            check_id, replace(entry, facts=replace(entry.facts, sha256=bytes(32))), tenant="default"
        )


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

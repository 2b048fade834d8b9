"""Portrait templates at rest."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from liveness import TrustedFace
from server.base.errors import Reason, Refusal
from server.checks.templates import open_template, seal_template
from server.domain.terms import SealedKind
from server.keyring.sealing import SealError, WrappingKeys, context, seal
from tests.server.scan.records import check_record
from vision.geometry import CHIP_SHAPE
from vision.packs import Template

KEYS = WrappingKeys(newest="k", keys={"k": bytes(range(32))})


def _random(count: int) -> bytes:
    return bytes(range(7, 7 + count))


def test_a_template_opens_for_its_own_check_only() -> None:
    template = Template(np.linspace(-1, 1, 128, dtype=np.float32), "model/abc/128/five points")
    record = check_record()
    sealed = seal_template(
        template,
        trusted=None,
        tenant=record.tenant,
        check_id=record.check_id,
        wrapping_keys=KEYS,
        random=_random,
    )

    portrait = open_template(replace(record, portrait_template=sealed), wrapping_keys=KEYS)
    assert portrait.trusted is None
    opened = portrait.template
    assert opened.vector.dtype == np.float32
    assert np.array_equal(opened.vector, template.vector)
    assert opened.form_id == template.form_id
    assert template.vector.tobytes() not in sealed.ciphertext
    with pytest.raises(SealError):
        open_template(replace(record, check_id=uuid4(), portrait_template=sealed), wrapping_keys=KEYS)
    with pytest.raises(SealError):
        open_template(replace(record, tenant="other", portrait_template=sealed), wrapping_keys=KEYS)


@pytest.mark.parametrize("document", [False, True])
def test_the_aligned_face_is_sealed_with_the_template(document: bool) -> None:
    template = Template(np.linspace(-1, 1, 128, dtype=np.float32), "model/abc/128/five points")
    chip = np.arange(CHIP_SHAPE[0] * CHIP_SHAPE[1], dtype=np.uint32).astype(np.uint8).reshape(CHIP_SHAPE)
    record = check_record()
    sealed = seal_template(
        template,
        trusted=TrustedFace(chip, document=document),
        tenant=record.tenant,
        check_id=record.check_id,
        wrapping_keys=KEYS,
        random=_random,
    )
    opened = open_template(replace(record, portrait_template=sealed), wrapping_keys=KEYS)
    assert np.array_equal(opened.template.vector, template.vector)
    assert opened.trusted is not None
    assert np.array_equal(opened.trusted.chip, chip)
    assert opened.trusted.document is document
    assert chip.tobytes() not in sealed.ciphertext


def test_a_destroyed_template_closes_the_check() -> None:
    with pytest.raises(Refusal) as caught:
        open_template(replace(check_record(), portrait_template=None), wrapping_keys=KEYS)
    assert caught.value.reason is Reason.CHECK_CLOSED


def test_a_template_of_another_version_is_refused_by_name() -> None:
    record = check_record()
    other = seal(
        b"FGT3" + bytes(512),
        wrapping_keys=KEYS,
        aad=context(tenant=record.tenant, check_id=record.check_id, kind=SealedKind.PORTRAIT_TEMPLATE),
        random=_random,
    )
    with pytest.raises(Refusal) as caught:
        open_template(replace(record, portrait_template=other), wrapping_keys=KEYS)
    assert caught.value.reason is Reason.PACK_CHANGED

"""Portrait templates at rest."""

from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from server.checks.templates import open_template, seal_template
from server.errors import Reason, Refusal
from server.sealing import SealError, WrappingKeys
from tests.server.scan.records import check_record

KEYS = WrappingKeys(newest="k", keys={"k": bytes(range(32))})


def _random(count: int) -> bytes:
    return bytes(range(7, 7 + count))


def test_a_template_opens_for_its_own_check_only() -> None:
    template = np.linspace(-1, 1, 128, dtype=np.float32)
    record = check_record()
    sealed = seal_template(template, check_id=record.check_id, wrapping_keys=KEYS, random=_random)

    opened = open_template(replace(record, portrait_template=sealed), wrapping_keys=KEYS)
    assert opened.dtype == np.float32
    assert np.array_equal(opened, template)
    assert template.tobytes() not in sealed.ciphertext
    with pytest.raises(SealError):
        open_template(replace(record, check_id=uuid4(), portrait_template=sealed), wrapping_keys=KEYS)


def test_a_destroyed_template_closes_the_check() -> None:
    with pytest.raises(Refusal) as caught:
        open_template(replace(check_record(), portrait_template=None), wrapping_keys=KEYS)
    assert caught.value.reason is Reason.CHECK_CLOSED

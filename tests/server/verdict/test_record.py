from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.terms import Mode, PortraitKept
from server.verdict.record import (
    RecordUnreadable,
    delivery_from_bytes,
    record_from_bytes,
    record_to_bytes,
)
from tests.server.verdict.samples import OUTCOME, RECORD


def test_a_record_is_read_back_as_it_was_written() -> None:
    assert record_from_bytes(record_to_bytes(RECORD)) == RECORD


def test_finish_check_reads_the_result_and_the_images_that_it_names() -> None:
    delivery = delivery_from_bytes(record_to_bytes(RECORD))
    assert delivery.result == RECORD.result
    assert OUTCOME.evidence_frame is not None
    assert delivery.marks == (OUTCOME.evidence_frame, *OUTCOME.audit_images)


def test_a_record_without_images_names_none() -> None:
    outcome = replace(OUTCOME, evidence_frame=None, audit_images=())
    assert delivery_from_bytes(record_to_bytes(replace(RECORD, outcome=outcome))).marks == ()


def test_a_record_of_another_version_is_refused() -> None:
    data = record_to_bytes(replace(RECORD, version=2))
    for read in (record_from_bytes, delivery_from_bytes):
        with pytest.raises(RecordUnreadable, match="version 2"):
            read(data)


@given(st.binary(max_size=200))
def test_other_bytes_are_refused(data: bytes) -> None:
    for read in (record_from_bytes, delivery_from_bytes):
        with pytest.raises(RecordUnreadable):
            read(data)


def test_the_sample_is_what_a_server_writes() -> None:
    assert RECORD.requested_mode is Mode.EXPRESS
    assert RECORD.portrait.kept is PortraitKept.HASH
    assert [len(one) for one in RECORD.frames[0].sha256] == [32] * 3

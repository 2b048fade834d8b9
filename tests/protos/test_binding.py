import dataclasses
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facegate_protocol import BindingInputs, binding_hash, evidence_challenge

USUAL = BindingInputs(
    token="token",
    nonce=bytes(32),
    device_share=b"\x01" * 32,
    server_share=b"\x02" * 32,
    session_public_key=b"\x03" * 91,
    server_spki_sha256=b"\x04" * 32,
    start=b"start",
)


def test_binding_is_a_hash_over_length_prefixed_fields() -> None:
    fields = [
        b"facegate/v1/binding",
        hashlib.sha256(b"token").digest(),
        USUAL.nonce,
        USUAL.device_share,
        USUAL.server_share,
        USUAL.session_public_key,
        USUAL.server_spki_sha256,
        hashlib.sha256(b"start").digest(),
    ]
    framed = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    assert binding_hash(USUAL) == hashlib.sha256(framed).digest()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(BindingInputs)])
@given(value=st.binary(max_size=100))
def test_every_input_enters_the_binding(name: str, value: bytes) -> None:
    change: dict[str, Any] = {name: value.hex() if name == "token" else value}
    changed = dataclasses.replace(USUAL, **change)
    assert (binding_hash(changed) == binding_hash(USUAL)) == (changed == USUAL)


def test_shares_are_not_interchangeable() -> None:
    swapped = dataclasses.replace(USUAL, device_share=USUAL.server_share, server_share=USUAL.device_share)
    assert binding_hash(swapped) != binding_hash(USUAL)


def test_plaintext_stream_has_its_own_binding() -> None:
    assert binding_hash(dataclasses.replace(USUAL, server_spki_sha256=b"")) != binding_hash(USUAL)


def test_evidence_is_made_for_the_findings_beside_it() -> None:
    fields = [b"facegate/v1/evidence-challenge", b"h" * 32, hashlib.sha256(b"findings").digest()]
    framed = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    made = evidence_challenge(binding=b"h" * 32, findings=b"findings")
    assert made == hashlib.sha256(framed).digest()
    assert evidence_challenge(binding=b"h" * 32, findings=b"") == b"h" * 32


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_other_findings_are_another_challenge(one: bytes, other: bytes) -> None:
    challenges = [evidence_challenge(binding=b"h" * 32, findings=each) for each in (one, other)]
    assert (challenges[0] == challenges[1]) is (one == other)

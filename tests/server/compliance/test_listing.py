"""Page tokens, and the terms of a list: in pairs where each alone may be frequent, and both together rare."""

import base64
import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveness import AttackType
from server.base.errors import Reason, Refusal
from server.compliance.listing import CheckFilter, PageTokens
from server.domain.terms import CheckStatus, FailureReason, reference_term

_KEYS = (bytes(32), bytes([1]) * 32)


@pytest.mark.parametrize(
    ("chosen", "terms"),
    [
        (CheckFilter(), ["all"]),
        (CheckFilter(policy="high"), ["policy:high"]),
        (CheckFilter(status=CheckStatus.FAILURE), ["status:FAILURE"]),
        (CheckFilter(on_hold=True), ["hold"]),
        (CheckFilter(policy="high", status=CheckStatus.FAILURE), ["status_policy:FAILURE:high"]),
        (CheckFilter(policy="high", reason=FailureReason.SPOOF), ["reason_policy:SPOOF:high"]),
        (CheckFilter(policy="high", attack=AttackType.PRINT), ["attack_policy:PRINT:high"]),
        (CheckFilter(policy="high", sign="emulator", on_hold=True), ["hold", "sign_policy:emulator:high"]),
        (CheckFilter(status=CheckStatus.FAILURE, sandbox=True), ["status_sandbox:FAILURE:yes"]),
        (
            CheckFilter(policy="high", attack=AttackType.PRINT, reason=FailureReason.SPOOF),
            ["attack_reason:PRINT:SPOOF", "attack_policy:PRINT:high", "reason_policy:SPOOF:high"],
        ),
    ],
)
def test_words_are_sought_in_pairs(chosen: CheckFilter, terms: list[str]) -> None:
    assert chosen.terms(_KEYS) == tuple((term,) for term in terms)


def test_a_reference_is_sought_under_every_key() -> None:
    found = CheckFilter(subject_reference="anna", policy="high").terms(_KEYS)
    hashed = tuple(reference_term("subject", "anna", tenant_key=key) for key in _KEYS)
    assert found == (hashed, ("policy:high",))


_PLACE = b"a place of 24 bytes long"


def _keys(tenant: str) -> tuple[bytes, ...]:
    return (tenant.encode().ljust(32, b"n"), tenant.encode().ljust(32, b"o"))


_TOKENS = PageTokens(tenant_keys=_keys, random=secrets.token_bytes)


def test_a_token_leads_back_to_its_place() -> None:
    token = _TOKENS.make(_PLACE, tenant="a", conditions=["status:FAILURE"])
    assert _TOKENS.open(token, tenant="a", conditions=["status:FAILURE"]) == _PLACE
    assert _PLACE not in base64.urlsafe_b64decode(token + "==")


@pytest.mark.parametrize(
    ("tenant", "conditions"),
    [("b", ["x"]), ("a", ["y"]), ("a", ["x", ""]), ("a", [])],
    ids=["tenant", "condition", "further condition", "no condition"],
)
def test_a_token_is_of_its_tenant_and_its_conditions_only(tenant: str, conditions: list[str]) -> None:
    token = _TOKENS.make(_PLACE, tenant="a", conditions=["x"])
    with pytest.raises(Refusal) as caught:
        _TOKENS.open(token, tenant=tenant, conditions=conditions)
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == "page_token"


def _expect_refused(token: str, *, tenant: str = "a") -> None:
    with pytest.raises(Refusal) as caught:
        _TOKENS.open(token, tenant=tenant, conditions=[])
    assert caught.value.reason is Reason.INVALID_FIELD
    assert caught.value.details["field"] == "page_token"


@given(st.text(max_size=80))
def test_any_other_text_is_refused(text: str) -> None:
    _expect_refused(text)


@given(st.binary(max_size=120))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    _expect_refused(base64.urlsafe_b64encode(data).rstrip(b"=").decode())


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_token_with_any_bit_flipped_cut_or_extended_is_refused(place: bytes, data: st.DataObject) -> None:
    token = _TOKENS.make(place, tenant="a", conditions=[])
    sealed = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    bit = data.draw(st.integers(0, 8 * len(sealed) - 1))
    cut = data.draw(st.integers(0, len(sealed) - 1))
    flipped = bytearray(sealed)
    flipped[bit // 8] ^= 1 << bit % 8
    for changed in (flipped, sealed[:cut], sealed + b"x"):
        _expect_refused(base64.urlsafe_b64encode(changed).rstrip(b"=").decode())
    _expect_refused(token, tenant="b")


@given(st.data())
def test_a_token_with_any_other_character_leads_to_its_own_place_or_is_refused(data: st.DataObject) -> None:
    token = _TOKENS.make(_PLACE, tenant="a", conditions=[])
    at = data.draw(st.integers(0, len(token)))
    changed = token[:at] + data.draw(st.text(max_size=3)) + token[at + 1 :]
    try:
        opened = _TOKENS.open(changed, tenant="a", conditions=[])
    except Refusal:
        _expect_refused(changed)
    else:
        # The last character has bits that mean nothing.
        assert opened == _PLACE


def test_a_token_outlives_a_rotation_of_the_key() -> None:
    before = PageTokens(tenant_keys=lambda tenant: _keys(tenant)[1:], random=secrets.token_bytes)
    token = before.make(_PLACE, tenant="a", conditions=[])
    assert _TOKENS.open(token, tenant="a", conditions=[]) == _PLACE

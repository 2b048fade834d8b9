"""Whole ceremonies with an authenticator in software, and a browser's key: each condition broken once."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest, Manipulation
from device_integrity.web import (
    EnrolledCredential,
    RelyingParty,
    WebAuthnResult,
    verify_authentication,
    verify_registration,
    verify_web_crypto,
)
from device_integrity.web.webcrypto import WebCryptoResult
from facegate_protocol import (
    KeyMaterialError,
    attestation_message,
    public_key_der,
    resume_message,
    sha256,
    sign,
)
from tests.device_integrity.web.authenticator_in_software import ORIGIN, RP_ID, Authenticator, client_data

_H = sha256(b"the binding hash of a scan")
_SITE = RelyingParty(rp_id=RP_ID, origins=frozenset({ORIGIN, "https://bank.example"}))
_CREATE, _GET = "webauthn.create", "webauthn.get"
_PHONE = Authenticator()


def _register(
    authenticator: Authenticator = _PHONE,
    *,
    browser: bytes | None = None,
    data: bytes | None = None,
    attestation: bytes | None = None,
    self_attested: bool = False,
    **other: object,
) -> WebAuthnResult:
    browser = browser if browser is not None else client_data(_H, kind=_CREATE)
    data = data if data is not None else authenticator.data(attested=True)
    arguments: dict[str, object] = {
        "credential_id": authenticator.credential_id,
        "client_data_json": browser,
        "attestation_object": attestation
        if attestation is not None
        else authenticator.attestation(browser, data, self_attested=self_attested),
        "challenge": _H,
        "relying_party": _SITE,
        "header_origin": ORIGIN,
    }
    return verify_registration(**(arguments | other))  # type: ignore[arg-type]


def _enrolled(
    authenticator: Authenticator = _PHONE, *, sign_count: int = 0, ceiling: Assurance = Assurance.MEDIUM
) -> EnrolledCredential:
    return EnrolledCredential(
        credential_id=authenticator.credential_id,
        public_key=authenticator.cose_key,
        sign_count=sign_count,
        ceiling=ceiling,
    )


def _authenticate(
    authenticator: Authenticator = _PHONE,
    *,
    browser: bytes | None = None,
    data: bytes | None = None,
    **other: object,
) -> WebAuthnResult:
    browser = browser if browser is not None else client_data(_H, kind=_GET)
    data = data if data is not None else authenticator.data()
    arguments: dict[str, object] = {
        "credential_id": authenticator.credential_id,
        "client_data_json": browser,
        "authenticator_data": data,
        "signature": authenticator.assertion(browser, data),
        "challenge": _H,
        "relying_party": _SITE,
        "header_origin": ORIGIN,
        "enrolled": _enrolled(authenticator),
    }
    return verify_authentication(**(arguments | other))  # type: ignore[arg-type]


def _failed(result: WebAuthnResult) -> DeviceTest:
    assert result.credential is None
    assert result.ceiling is Assurance.NONE
    (check,) = (one for one in result.checks if one.outcome is DeviceFinding.FAIL)
    return check


@pytest.mark.parametrize("self_attested", [False, True])
@pytest.mark.parametrize(
    "authenticator",
    [
        _PHONE,
        Authenticator(key=Ed25519PrivateKey.from_private_bytes(bytes(32))),
        Authenticator(key=rsa.generate_private_key(65537, 2048), credential_id=b"x" * 1023),
    ],
    ids=["ES256", "EdDSA", "RS256"],
)
def test_an_authentication_after_a_registration_passes(
    authenticator: Authenticator, self_attested: bool
) -> None:
    registered = _register(authenticator, self_attested=self_attested)
    assert [check.outcome for check in registered.checks] == [DeviceFinding.PASS] * 11
    assert registered.ceiling is Assurance.LOW
    assert registered.credential == _enrolled(authenticator, ceiling=Assurance.LOW)
    later = _authenticate(authenticator, enrolled=registered.credential)
    assert [check.outcome for check in later.checks] == [DeviceFinding.PASS] * 11
    assert [check.name for check in later.checks] == [check.name for check in registered.checks]
    assert later.credential == registered.credential
    assert later.ceiling is Assurance.LOW


def test_a_credential_that_the_customer_enrolled_gives_more() -> None:
    assert _authenticate().ceiling is Assurance.MEDIUM
    assert _authenticate(enrolled=_enrolled(ceiling=Assurance.HIGH)).ceiling is Assurance.MEDIUM


def test_extensions_are_taken() -> None:
    extensions = cbor2.dumps({"credProtect": 2})
    assert _register(data=_PHONE.data(attested=True, extensions=extensions)).credential is not None
    assert _authenticate(data=_PHONE.data(extensions=extensions)).credential is not None


def test_without_the_header_nothing_is_compared_and_nothing_passes() -> None:
    result = _register(header_origin=None)
    assert result.credential is not None
    (check,) = (one for one in result.checks if one.outcome is not DeviceFinding.PASS)
    assert (check.name, check.outcome) == ("web_authn.page", DeviceFinding.NOT_EVALUATED)


@pytest.mark.parametrize(("ceremony", "kind"), [(_register, _CREATE), (_authenticate, _GET)])
@pytest.mark.parametrize(
    ("changes", "name", "sign"),
    [
        ({"challenge": sha256(b"another")}, "challenge", Manipulation.MAN_IN_THE_MIDDLE),
        ({"origin": "https://verify.bank.example.evil.example"}, "origin", Manipulation.MAN_IN_THE_MIDDLE),
        ({"origin": "https://verify.bank.example/"}, "origin", Manipulation.MAN_IN_THE_MIDDLE),
        ({"origin": "http://verify.bank.example"}, "origin", Manipulation.MAN_IN_THE_MIDDLE),
        ({"kind": "webauthn.other"}, "ceremony", None),
        ({"crossOrigin": True}, "ceremony", Manipulation.MAN_IN_THE_MIDDLE),
        ({"topOrigin": "https://evil.example"}, "ceremony", Manipulation.MAN_IN_THE_MIDDLE),
    ],
)
def test_each_field_of_the_client_data_is_verified(
    ceremony: Callable[..., WebAuthnResult],
    kind: str,
    changes: dict[str, object],
    name: str,
    sign: Manipulation | None,
) -> None:
    said: dict[str, Any] = {"challenge": _H, "kind": kind} | changes
    header = said.get("origin", ORIGIN)
    check = _failed(ceremony(browser=client_data(**said), header_origin=header))
    assert (check.name, check.sign_of) == (f"web_authn.{name}", sign)


def test_the_ceremonies_are_not_each_other() -> None:
    assert _failed(_register(browser=client_data(_H, kind=_GET))).name == "web_authn.ceremony"
    assert _failed(_authenticate(browser=client_data(_H, kind=_CREATE))).name == "web_authn.ceremony"


def test_a_request_of_another_page_fails() -> None:
    for result in (_register(header_origin="https://evil.example"), _authenticate(header_origin="null")):
        assert _failed(result).name == "web_authn.page"


def test_another_site_fails() -> None:
    registered = _register(data=_PHONE.data(attested=True, rp_id="evil.example"))
    assert _failed(registered).name == "web_authn.relying_party"
    assert _failed(_authenticate(data=_PHONE.data(rp_id="evil.example"))).name == "web_authn.relying_party"


def test_another_credential_fails() -> None:
    other = Authenticator(credential_id=b"another")
    assert _failed(_register(credential_id=b"another")).name == "web_authn.credential"
    assert _failed(_authenticate(other, enrolled=_enrolled())).name == "web_authn.credential"


@pytest.mark.parametrize(("flags", "name"), [(0x04, "presence"), (0x01, "user_verification")])
def test_user_presence_and_verification_are_required(flags: int, name: str) -> None:
    assert _failed(_register(data=_PHONE.data(flags=flags, attested=True))).name == f"web_authn.{name}"
    assert _failed(_authenticate(data=_PHONE.data(flags=flags))).name == f"web_authn.{name}"


def test_a_signature_of_another_key_fails() -> None:
    forger = Authenticator()
    check = _failed(_authenticate(forger, enrolled=_enrolled(_PHONE)))
    assert (check.name, check.sign_of) == ("web_authn.signature", Manipulation.MAN_IN_THE_MIDDLE)
    browser, data = client_data(_H, kind=_CREATE), _PHONE.data(attested=True)
    forged = forger.attestation(browser, data, self_attested=True)
    assert _failed(_register(attestation=forged)).name == "web_authn.signature"


@pytest.mark.parametrize(
    ("counted", "stored", "accepted"),
    [(0, 0, True), (8, 7, True), (7, 7, False), (0, 7, False), (1, 0, True)],
)
def test_counters(counted: int, stored: int, accepted: bool) -> None:
    result = _authenticate(data=_PHONE.data(sign_count=counted), enrolled=_enrolled(sign_count=stored))
    assert (result.credential is not None) is accepted
    if result.credential is None:
        assert _failed(result).name == "web_authn.counter"
    else:
        assert result.credential.sign_count == counted


def _object(**changes: object) -> bytes:
    honest = {"fmt": "none", "attStmt": {}, "authData": _PHONE.data(attested=True)}
    return cbor2.dumps(honest | changes)


def _with_key(key: dict[int, object]) -> bytes:
    return _object(authData=_PHONE.data(attested=True, cose_key=cbor2.dumps(key)))


@pytest.mark.parametrize(
    ("attestation", "says"),
    [
        (b"", "ends inside"),
        (_object(fmt="none", attStmt={"x": 1}), "conveyance none"),
        (_object(fmt="packed", attStmt={"alg": -7, "sig": b"", "x5c": [b""]}), "conveyance none"),
        (_object(fmt="android-safetynet", attStmt={"ver": "1", "response": b""}), "conveyance none"),
        (_object(more=1), "no others"),
        (_object(authData=_PHONE.data()), "holds no key"),
        (_object(authData=_PHONE.data(attested=True) + b"\0"), "follow the authenticator data"),
        (_object(authData=_PHONE.data(attested=True)[:60]), "cut off"),
        (_object(authData=bytes(4097)), "4097 bytes"),
        (_with_key({1: 2, 3: -7, -1: 2, -2: bytes(32), -3: bytes(32)}), "curve of its algorithm"),
        (_with_key({1: 2, 3: -7, -1: 1, -2: bytes(32)}), "lacks a member"),
        (_with_key({1: 2, 3: -7, -1: 1, -2: bytes(33), -3: bytes(32)}), "33 bytes instead of 32"),
        (_with_key({1: 2, 3: -35, -1: 2, -2: bytes(48), -3: bytes(48)}), "ES256, EdDSA or RS256"),
        (_with_key({1: 3, 3: -257, -1: b"\xff" * 900, -2: b"\1\0\1"}), "too small or too large"),
        (_with_key({1: 3, 3: -257, -1: b"\xff" * 256, -2: b"\xff" * 200}), "too small or too large"),
        (_with_key({1: 3, 3: -257, -1: b"\xff" * 128, -2: b"\1\0\1"}), "too small or too large"),
    ],
)
def test_attestation_objects_that_are_not_taken(attestation: bytes, says: str) -> None:
    check = _failed(_register(attestation=attestation))
    assert (check.name, check.reason) == ("web_authn.format", "MALFORMED")
    assert says in check.detail


def test_a_point_off_the_curve_is_refused_by_the_library() -> None:
    key = {1: 2, 3: -7, -1: 1, -2: b"\1" * 32, -3: b"\1" * 32}
    browser = client_data(_H, kind=_CREATE)
    data = _PHONE.data(attested=True, cose_key=cbor2.dumps(key))
    packed = _PHONE.attestation(browser, data, self_attested=True)
    assert _failed(_register(attestation=packed)).name == "web_authn.signature"


@pytest.mark.parametrize(
    ("browser", "says"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ('{"type": "webauthn.create"}'.encode("utf-16"), "not JSON"),
        (b"[]", "not a JSON object"),
        (b"[" * 4000, "not JSON"),
        (b"{}", "type of the client data is missing"),
        (b'{"type": 1}', "type of the client data is missing"),
        (b'{"type": "a", "type": "b"}', "twice"),
        (b'{"type": "\\ud800"}', "type of the client data is missing"),
        (b'{"crossOrigin": 1}', "crossOrigin"),
        (b'{"x": NaN}', "type of the client data is missing"),
        (bytes(4097), "at most 4096"),
    ],
)
@pytest.mark.usefixtures("without_collection")
def test_client_data_that_cannot_be_read(browser: bytes, says: str) -> None:
    for result in (_register(browser=browser), _authenticate(browser=browser)):
        assert says in _failed(result).detail


def test_a_signature_that_is_too_long() -> None:
    assert "513 bytes" in _failed(_authenticate(signature=bytes(513))).detail


_BROWSER = client_data(_H, kind=_CREATE)
_HONEST = _PHONE.attestation(_BROWSER, _PHONE.data(attested=True), self_attested=True)


@settings(deadline=None, max_examples=200)
@given(place=st.integers(0, 10_000), mask=st.integers(1, 255))
def test_no_changed_byte_passes(place: int, mask: int) -> None:
    changed = bytearray(_HONEST)
    changed[place % len(changed)] ^= mask
    assert _register(browser=_BROWSER, attestation=bytes(changed)).credential is None


# Proof of possession of a browser's key.


_KEY_SITE = RelyingParty(rp_id="bank.example", origins=frozenset({ORIGIN}))
_KEY, _SESSION = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
_DER = public_key_der(_KEY.public_key())


def _verify_key(**other: object) -> WebCryptoResult:
    arguments: dict[str, object] = {
        "public_key": _DER,
        "signature": sign(_KEY, attestation_message(binding=_H)),
        "origin": ORIGIN,
        "binding": _H,
        "session_public_key": public_key_der(_SESSION.public_key()),
        "relying_party": _KEY_SITE,
        "header_origin": ORIGIN,
    }
    return verify_web_crypto(**(arguments | other))  # type: ignore[arg-type]


def test_an_honest_browser_gets_a_low_ceiling() -> None:
    result = _verify_key()
    assert [check.outcome for check in result.checks] == [DeviceFinding.PASS] * 5
    assert (result.public_key, result.ceiling) == (_DER, Assurance.LOW)
    unseen = _verify_key(header_origin=None)
    assert (unseen.public_key, unseen.ceiling) == (_DER, Assurance.LOW)
    assert unseen.checks[2].outcome is DeviceFinding.NOT_EVALUATED


@pytest.mark.parametrize(
    ("other", "name"),
    [
        ({"public_key": b"x"}, "format"),
        ({"public_key": bytes(129)}, "format"),
        ({"signature": bytes(81)}, "format"),
        ({"origin": "https://evil.example", "header_origin": "https://evil.example"}, "origin"),
        ({"header_origin": "https://evil.example"}, "page"),
        ({"session_public_key": _DER}, "independent_key"),
        ({"signature": b""}, "signature"),
        ({"binding": sha256(b"another")}, "signature"),
        ({"signature": sign(_KEY, _H)}, "signature"),
        ({"signature": sign(_KEY, resume_message(binding=_H))}, "signature"),
        ({"signature": sign(_SESSION, attestation_message(binding=_H))}, "signature"),
    ],
)
def test_each_broken_condition_of_a_browsers_key_fails_its_test(other: dict[str, object], name: str) -> None:
    result = _verify_key(**other)
    (check,) = (one for one in result.checks if one.outcome is DeviceFinding.FAIL)
    assert check.name == f"web_crypto.{name}"
    assert (result.public_key, result.ceiling) == (None, Assurance.NONE)


def test_the_sessions_key_in_other_words_is_still_the_sessions_key() -> None:
    """A point may be written compressed (SEC 1, 2.3.3), which gives the same key other bytes."""
    point = _KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    head = _DER[2:23]
    compressed = bytes([0x30, len(head) + 3 + len(point)]) + head + bytes([3, len(point) + 1, 0]) + point
    for other in ({"session_public_key": compressed}, {"session_public_key": _DER, "public_key": compressed}):
        result = _verify_key(**other)
        assert [one.reason for one in result.checks if one.outcome is DeviceFinding.FAIL] == [
            "KEY_IS_SESSION_KEY"
        ]
    with pytest.raises(KeyMaterialError):
        _verify_key(session_public_key=b"")


@given(key=st.binary(max_size=130), signature=st.binary(max_size=90))
def test_any_bytes_give_checks(key: bytes, signature: bytes) -> None:
    assert _verify_key(public_key=key, signature=signature).public_key is None

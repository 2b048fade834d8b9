"""Evidence of devices and browsers, and the operator's files for its verification."""

import base64
import functools
import io
import json
import struct
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from rich.console import Console

from cli.attest.command import report_view
from cli.attest.evidence import GivenInputs, as_json
from cli.attest.reports import make_report
from cli.errors import CommandError
from device_integrity.android import (
    AllowedApp,
    KeyAttestationPolicy,
    PlayPolicy,
    PlayTokenKind,
    Possession,
    open_classic_token,
    parse_payload,
    parse_revocation_list,
    verify_key_attestation,
    verify_payload,
)
from device_integrity.android.key_description import (
    read_application_id,
    read_certificates_issued,
    read_key_description,
)
from device_integrity.apple import (
    Environment,
    KeyOwner,
    parse_receipt,
    verify_assertion,
    verify_attestation,
    verify_receipt,
)
from device_integrity.cbor import decode_cbor, item_end
from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest
from device_integrity.errors import (
    CborMalformed,
    DeviceIntegrityError,
    EvidenceMalformed,
    ReferenceDataMalformed,
)
from device_integrity.web import (
    EnrolledCredential,
    RelyingParty,
    verify_authentication,
    verify_registration,
)
from facegate_protocol import sha256
from formats import der
from formats.errors import DerMalformed
from tests.device_integrity.android.phones import (
    APP_DIGEST,
    NOW,
    PACKAGE,
    Description,
    RootOfTrust,
    der_chain,
    factory_phone,
    new_key,
    remote_phone,
    trust,
)
from tests.device_integrity.android.play_tokens import CHALLENGE, KEYS, mint, payload
from tests.device_integrity.apple.apple_in_software import APP, SoftwareApple, SoftwareKey
from tests.device_integrity.apple.apple_in_software import NOW as ATTEST_NOW
from tests.device_integrity.web.authenticator_in_software import ORIGIN, RP_ID, Authenticator, client_data

# Evidence of Android devices, and the operator's files for its verification.

_LENGTH = struct.Struct(">H")
_POLICY = KeyAttestationPolicy(
    apps=(AllowedApp(package=PACKAGE, certificate_digests=frozenset({APP_DIGEST})),)
)
_PLAY = PlayPolicy(apps=_POLICY.apps)
_KEY = new_key("of the leaf")
_NOBODY = Possession(message=b"message", signature=b"")


@functools.cache
def chain_seeds() -> tuple[bytes, ...]:
    """Chains of both shapes, each certificate after its length."""
    chains = (der_chain(phone.attest(Description(), _KEY)[1]) for phone in (factory_phone(), remote_phone()))
    return tuple(b"".join(_LENGTH.pack(len(one)) + one for one in chain) for chain in chains)


@functools.cache
def _authorities() -> frozenset[tuple[bytes, ...]]:
    """The certificates between leaf and root of the two phones."""
    return frozenset(
        tuple(der_chain(phone.attest(Description(), _KEY)[1])[1:-1])
        for phone in (factory_phone(), remote_phone())
    )


def verify_chain(data: bytes) -> None:
    """Verify a chain; no exception may be raised, and only a complete one may pass."""
    chain: list[bytes] = []
    position = 0
    while position + _LENGTH.size <= len(data):
        (size,) = _LENGTH.unpack_from(data, position)
        position += _LENGTH.size
        chain.append(data[position : position + size])
        position += size
    result = verify_key_attestation(
        certificate_chain=chain,
        challenge=b"challenge",
        possession=_NOBODY,
        policy=_POLICY,
        roots=(*trust(factory_phone()), *trust(remote_phone())),
        revocation=None,
        now=NOW,
    )
    # The root's own certificate may have any content, because only its key counts.
    assert result.attested_key is None or tuple(chain[1:-1]) in _authorities()


@functools.cache
def description_seeds() -> tuple[bytes, ...]:
    """Descriptions, and the structures in them and beside them."""
    return (
        Description().der(),
        Description(root_of_trust=RootOfTrust(locked=b"\x01\x01\x01"), version=900).der(),
        bytes.fromhex("a301184002f50366476f6f676c65"),
    )


def read_description(data: bytes) -> None:
    """Read it in every way."""
    for reader in (read_key_description, read_application_id, read_certificates_issued):
        try:
            reader(data)
        except EvidenceMalformed:
            continue
    for encoding in der.Encoding:
        try:
            element = der.read(data, encoding=encoding)
            while element.constructed:
                element = element.children()[0]
        except (DerMalformed, IndexError):
            continue


@functools.cache
def play_seeds() -> tuple[bytes, ...]:
    """A token and a payload."""
    return (mint(payload()).encode(), json.dumps(payload()).encode())


def read_play(data: bytes) -> None:
    """Open a token, and read and judge a payload."""
    for document in (None, data):
        try:
            opened = open_classic_token(data.decode("latin-1"), keys=KEYS) if document is None else document
            read = parse_payload(opened)
        except EvidenceMalformed:
            continue
        verify_payload(read, kind=PlayTokenKind.CLASSIC, challenge=CHALLENGE, policy=_PLAY, now=NOW)


@functools.cache
def revocation_seeds() -> tuple[bytes, ...]:
    """A list as Google publishes it."""
    entries = {
        "6681152659205225093": {"status": "REVOKED", "reason": "KEY_COMPROMISE"},
        "cc66e9a93713b6e643b26c15879786f7": {"status": "SUSPENDED", "comment": "for tests"},
    }
    return (json.dumps({"entries": entries}).encode(),)


def read_revocation(data: bytes) -> None:
    """Read a list."""
    with suppress(ReferenceDataMalformed):
        parse_revocation_list(data, fetched_at=NOW)


# Evidence of Apple's devices and of browsers: any bytes give findings, and no changed evidence passes.

_H = sha256(b"a binding hash")
_ATTEST_KEY = SoftwareKey(key=ec.derive_private_key(0xA99E, ec.SECP256R1()))
_PHONE = Authenticator(key=Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
_BROWSER = client_data(_H, kind="webauthn.create")
_SITE = RelyingParty(rp_id=RP_ID, origins=frozenset({ORIGIN}))
_MAX_CBOR = 65_536


@functools.cache
def _apple() -> SoftwareApple:
    return SoftwareApple()


@functools.cache
def attestation_seeds() -> tuple[bytes, ...]:
    """Attestation objects: a right one, and one of another root."""
    apple, other = _apple(), SoftwareApple(seed=2)
    return (
        apple.attestation(_ATTEST_KEY, _H, receipt=apple.changed_receipt(_ATTEST_KEY)),
        apple.attestation(_ATTEST_KEY, _H),
        other.attestation(_ATTEST_KEY, _H),
    )


@functools.cache
def assertion_seeds() -> tuple[bytes, ...]:
    """Assertions: right, replayed, and of another app."""
    return (
        _ATTEST_KEY.assertion(_H),
        _ATTEST_KEY.assertion(_H, counter=0),
        _ATTEST_KEY.assertion(_H, app_id="other"),
    )


@functools.cache
def receipt_seeds() -> tuple[bytes, ...]:
    """Receipts: exchanged and first ones, in both forms of length."""
    apple = _apple()
    return (
        apple.changed_receipt(_ATTEST_KEY),
        apple.changed_receipt(_ATTEST_KEY, indefinite=False),
        apple.changed_receipt(_ATTEST_KEY, fields={4: _H, 6: b"ATTEST", 17: b""}),
    )


@functools.cache
def cbor_seeds() -> tuple[bytes, ...]:
    """Items of every kind, accepted and refused."""
    return (
        *attestation_seeds(),
        *web_authn_seeds(),
        _PHONE.cose_key,
        cbor2.dumps({"a": [1, -1, None, True, {"b": b"c"}], 2: "d", b"e": [[[]]]}),
        cbor2.dumps([1.5, 2**70, {1: 2}]),
    )


@functools.cache
def web_authn_seeds() -> tuple[bytes, ...]:
    """Registrations: without a statement, and signed by the key itself."""
    data = _PHONE.data(attested=True)
    extended = _PHONE.data(attested=True, extensions=cbor2.dumps({"credProtect": 2}))
    return (
        _PHONE.attestation(_BROWSER, data, self_attested=True),
        _PHONE.attestation(_BROWSER, data),
        _PHONE.attestation(_BROWSER, extended, self_attested=True),
    )


@functools.cache
def authentication_seeds() -> tuple[bytes, ...]:
    """Client data of authentications."""
    return (
        client_data(_H, kind="webauthn.get"),
        client_data(_H, kind="webauthn.get", crossOrigin=True, topOrigin="https://a.example"),
        _BROWSER,
    )


def read_cbor(data: bytes) -> None:
    """Any bytes give the value that the library reads, or the typed error."""
    try:
        value = decode_cbor(data, max_bytes=_MAX_CBOR)
    except CborMalformed:
        return
    assert item_end(data) == len(data)
    assert cbor2.loads(data) == value


def judge_attestation(data: bytes) -> None:
    """Any bytes give findings; a key is enrolled only as Apple signed it."""
    result = verify_attestation(
        key_id=_ATTEST_KEY.key_id,
        attestation_object=data,
        client_data_hash=_H,
        app_ids=frozenset({APP}),
        environment=Environment.PRODUCTION,
        key_use=KeyOwner.NEW,
        anchors=_apple().anchors,
        now=ATTEST_NOW,
    )
    _sound(result.checks, 8)
    if result.key is not None:
        assert result.key.public_key == _ATTEST_KEY.public_key


def judge_assertion(data: bytes) -> None:
    """Any bytes give findings; only data that the key signed is accepted."""
    result = verify_assertion(
        assertion=data, client_data=_H, public_key=_ATTEST_KEY.public_key, app_id=APP, stored_counter=0
    )
    _sound(result.checks, 4)
    if result.counter is not None:
        assert result.counter == 1


def judge_receipt(data: bytes) -> None:
    """Any bytes give findings; a receipt's fields are those that were signed."""
    result = verify_receipt(
        receipt=data,
        public_key=_ATTEST_KEY.public_key,
        app_id=APP,
        environment=Environment.PRODUCTION,
        client_data_hash=None,
        max_age=timedelta(minutes=5),
        most_keys=3,
        anchors=_apple().anchors,
        now=ATTEST_NOW,
    )
    _sound(result.checks, 9)
    if result.receipt is not None:
        assert result.receipt in [parse_receipt(seed).receipt for seed in receipt_seeds()]
    try:
        parse_receipt(data)
    except EvidenceMalformed:
        assert result.checks[0].outcome is DeviceFinding.FAIL


def judge_registration(data: bytes) -> None:
    """Any bytes give findings, and a credential only with its own key."""
    result = verify_registration(
        credential_id=_PHONE.credential_id,
        client_data_json=_BROWSER,
        attestation_object=data,
        challenge=_H,
        relying_party=_SITE,
        header_origin=None,
    )
    _sound(result.checks, 11)
    if result.credential is not None:
        assert result.ceiling is Assurance.LOW
        assert result.credential.credential_id == _PHONE.credential_id


def judge_authentication(data: bytes) -> None:
    """Any client data gives findings; only data that the authenticator signed is accepted."""
    signed = authentication_seeds()[0]
    authenticator_data = _PHONE.data()
    result = verify_authentication(
        credential_id=_PHONE.credential_id,
        client_data_json=data,
        authenticator_data=authenticator_data,
        signature=_PHONE.assertion(signed, authenticator_data),
        challenge=_H,
        relying_party=_SITE,
        header_origin=ORIGIN,
        enrolled=EnrolledCredential(
            credential_id=_PHONE.credential_id,
            public_key=_PHONE.cose_key,
            sign_count=0,
            ceiling=Assurance.MEDIUM,
        ),
    )
    _sound(result.checks, 11)
    assert (result.credential is not None) == (data == signed)


def certificate_seed() -> bytes:
    """One certificate, DER."""
    return _apple().root.der


@functools.cache
def inspected_seeds() -> tuple[bytes, ...]:
    """One of every kind that the command accepts, including those that are fuzzed elsewhere."""
    receipt = receipt_seeds()[0]
    return (
        attestation_seeds()[0],
        assertion_seeds()[0],
        receipt,
        base64.b64encode(receipt),
        web_authn_seeds()[0],
        _apple().root.der + _apple().intermediate.der,
        _apple().root.certificate.public_bytes(Encoding.PEM) * 3,
        b'{"requestDetails": {"requestPackageName": "a.b", "nonce": "YQ", "timestampMillis": "1675655"}}',
        b"eyJhbGciOiJBMjU2S1ciLCJlbmMiOiJBMjU2R0NNIn0.AAAA.AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA",
    )


def inspect_any(data: bytes) -> None:
    """Any bytes give a report that can be shown, or the command's own errors."""
    try:
        report = make_report(data, GivenInputs(at=ATTEST_NOW))
    except (CommandError, DeviceIntegrityError):
        return
    json.dumps(as_json(report))
    console = Console(file=io.StringIO(), width=120)
    console.print(report_view(report, file=Path("evidence"), at=ATTEST_NOW))


def _sound(checks: tuple[DeviceTest, ...], count: int) -> None:
    assert len(checks) == count == len({check.name for check in checks})
    assert all(0 < len(check.detail) <= 500 for check in checks)

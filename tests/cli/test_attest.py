"""``facegate attest``: evidence is recognised and inspected, and the list of revoked keys is fetched."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from cli.attest.evidence import RecognisedKind, recognise
from cli.errors import CommandError
from cli.main import app
from device_integrity.apple import parse_attestation, parse_receipt
from facegate_protocol import sha256
from server.device.revocation import read_revocation_files
from tests.device_integrity.apple.apple_in_software import NOW, SoftwareApple, SoftwareKey
from tests.device_integrity.apple.vectors import AttestationVector, apple_sample, veehaitch
from tests.device_integrity.web.authenticator_in_software import ORIGIN, RP_ID, Authenticator, client_data

_RUNNER = CliRunner(env={"COLUMNS": "160"})
_H = sha256(b"a binding hash")
_KEY = SoftwareKey(key=ec.derive_private_key(77, ec.SECP256R1()))


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = _RUNNER.invoke(app, ["attest", "inspect", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def checks(*arguments: str | Path) -> dict[str, str]:
    """Outcomes by name, from the JSON."""
    _, output, _ = run(*arguments, "--json")
    return {check["name"]: check["outcome"] for check in json.loads(output)["checks"]}


def said(*arguments: str | Path) -> dict[str, Any]:
    _, output, _ = run(*arguments, "--json")
    found: dict[str, Any] = json.loads(output)["said"]
    return found


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def pem(folder: Path, public_key: bytes) -> Path:
    key = load_der_public_key(public_key)
    return put(folder, "key.pem", key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _moment(sample: AttestationVector) -> str:
    """The time at which the sample was received: at most a few seconds after its receipt was made."""
    made = parse_receipt(parse_attestation(sample.attestation).receipt).receipt.created
    return max(sample.at, made).isoformat()


def test_apples_sample_passes_at_its_date(assets: Path, tmp_path: Path) -> None:
    sample = apple_sample(assets)
    file = put(tmp_path, "sample", sample.attestation)
    status, output, _ = run(
        file,
        *("--at", _moment(sample), "--challenge", sample.client_data_hash.hex()),
        *("--app", sample.app_id, "--key-id", sample.key_id.hex()),
    )
    assert status == 0
    assert "12 pass, 5 not evaluated" in output
    assert "0352187391.com.apple.example_app_attest" in output


@pytest.mark.parametrize(
    ("change", "failed"),
    [
        (("--challenge", "00"), ["app_attest.challenge", "app_attest_receipt.challenge"]),
        (("--app", "TEAM.other"), ["app_attest.app", "app_attest_receipt.app"]),
        (("--key-id", "00" * 32), ["app_attest.key_id"]),
        (
            ("--at", "2026-01-01T00:00:00Z"),
            ["app_attest.chain", "app_attest_receipt.chain", "app_attest_receipt.freshness"],
        ),
    ],
)
def test_false_evidence_fails(
    assets: Path, tmp_path: Path, change: tuple[str, str], failed: list[str]
) -> None:
    sample = apple_sample(assets)
    file = put(tmp_path, "sample", base64.b64encode(sample.attestation))
    arguments = (file, "--at", _moment(sample), *change)
    assert run(*arguments)[0] == 1
    assert [name for name, outcome in checks(*arguments).items() if outcome == "FAIL"] == failed


def test_missing_inputs_are_named_and_never_pass(assets: Path, tmp_path: Path) -> None:
    sample = apple_sample(assets)
    file = put(tmp_path, "sample", sample.attestation)
    status, output, _ = run(file, "--at", _moment(sample))
    assert status == 0
    for option in ("--challenge", "--app", "--key-id"):
        assert f"give {option} to evaluate it" in output
    found = checks(file, "--at", _moment(sample))
    assert {name for name, outcome in found.items() if outcome == "NOT_EVALUATED"} == {
        "app_attest.challenge",
        "app_attest.app",
        "app_attest.environment",
        "app_attest.key_id",
        "app_attest.key_use",
        "app_attest_receipt.challenge",
        "app_attest_receipt.app",
        "app_attest_receipt.environment",
        "app_attest_receipt.freshness",
        "app_attest_receipt.risk",
    }


def test_real_assertions_and_receipts(assets: Path, tmp_path: Path) -> None:
    recording = veehaitch(assets, "ios-14.4")
    assertion, receipt = recording.assertion, recording.receipts[1]
    key = pem(tmp_path, assertion.public_key)
    file = put(tmp_path, "assertion", assertion.assertion)
    given = ("--public-key", key, "--app", assertion.app_id, "--challenge", assertion.client_data.hex())
    assert run(file, *given, "--counter", "0")[0] == 0
    assert set(checks(file, *given, "--counter", "0").values()) == {"PASS"}
    assert checks(file, *given, "--counter", "1")["app_attest_assertion.counter"] == "FAIL"
    assert set(checks(file).values()) == {"PASS", "NOT_EVALUATED"}

    file = put(tmp_path, "receipt", receipt.receipt)
    given = ("--public-key", key, "--app", receipt.app_id, "--at", receipt.at.isoformat())
    found = checks(file, *given)
    assert {name for name, outcome in found.items() if outcome != "PASS"} == {
        "app_attest_receipt.challenge",
        "app_attest_receipt.environment",
        "app_attest_receipt.freshness",
        "app_attest_receipt.risk",
    }
    assert said(file, *given)["Receipt"]["risk metric"] == "about 3 keys in 30 days"
    late = checks(file, "--at", "2022-01-01T00:00:00Z")
    assert late["app_attest_receipt.freshness"] == "FAIL"


def test_malformed_evidence_is_judged_and_not_an_error(tmp_path: Path) -> None:
    broken = cbor2.dumps({"fmt": "apple-appattest", "attStmt": {}, "authData": b""})
    status, output, _ = run(put(tmp_path, "broken", broken))
    assert status == 1
    assert "MALFORMED" in output
    assert "7 not evaluated" in output


def test_a_browser_registration_is_verified(tmp_path: Path) -> None:
    phone = Authenticator(key=ec.derive_private_key(5, ec.SECP256R1()))
    browser = client_data(_H, kind="webauthn.create")
    data = phone.attestation(browser, phone.data(attested=True), self_attested=True)
    file, sent = put(tmp_path, "attestation", data), put(tmp_path, "client.json", browser)
    given = ("--client-data", sent, "--challenge", _H.hex(), "--rp-id", RP_ID, "--app", ORIGIN)
    identifier = ("--key-id", phone.credential_id.hex())
    found = checks(file, *given, *identifier)
    assert [name for name, outcome in found.items() if outcome != "PASS"] == ["web_authn.page"]
    assert run(file, *given, *identifier)[0] == 0
    assert said(file, *given)["Client data"]["origin"] == ORIGIN
    assert said(file)["Credential"]["algorithm"] == "ES256"
    assert run(file)[0] == 0
    assert checks(file, *given, "--rp-id", "other.example")["web_authn.relying_party"] == "FAIL"
    assert {name for name, outcome in checks(file).items() if outcome == "PASS"} == {
        "web_authn.format",
        "web_authn.presence",
        "web_authn.user_verification",
        "web_authn.counter",
    }


def _android(assets: Path, *parts: str) -> Path:
    return assets.joinpath("data", "attestation", "android_key", "google_keyattestation", *parts)


def test_an_android_chain_is_verified(assets: Path, tmp_path: Path) -> None:
    file = _android(assets, "caiman", "sdk36", "SB_EC_RKP.pem")
    output = said(file)
    assert output["KeyDescription"]["attestation security level"] == "strongbox"
    assert output["Enforced by hardware"]["boot state"] == "verified"
    challenge = output["KeyDescription"]["challenge"]
    status = put(tmp_path, "status.json", b'{"entries": {"ab": {"status": "REVOKED"}}}')
    package, digest = output["Application"]["packages"].split()[0], output["Application"].popitem()[1]
    found = checks(
        file,
        *("--at", "2025-09-26T15:31:00Z", "--challenge", challenge),
        *("--app", f"{package}@{digest}", "--revocation", status),
    )
    assert [name for name, outcome in found.items() if outcome != "PASS"] == ["android_key.possession"]
    assert checks(file, "--at", "2025-09-26T15:31:00Z")["android_key.revocation"] == "NOT_EVALUATED"
    assert checks(file, "--challenge", "00")["android_key.challenge"] == "FAIL"


def test_a_chain_in_der_and_a_description_alone(assets: Path, tmp_path: Path) -> None:
    text = _android(assets, "caiman", "sdk36", "SB_EC_RKP.pem").read_text()
    blocks = [part.split("-----END")[0] for part in text.split("-----BEGIN CERTIFICATE-----")[1:]]
    der = b"".join(map(base64.b64decode, blocks))
    file = put(tmp_path, "chain.der", der)
    assert said(file)["Chain"]["shape"] == "remote"
    # The extension's value is a SEQUENCE that begins with version 300, within the first certificate.
    start = der.index(bytes.fromhex("0202012c0a0102")) - 4
    length = int.from_bytes(der[start + 2 : start + 4], "big") + 4
    status, output, _ = run(put(tmp_path, "description", der[start : start + length]))
    assert status == 0
    assert "strongbox" in output
    assert "There are no tests" in output


def test_play_tokens_and_payloads(assets: Path, tmp_path: Path) -> None:
    folder = assets / "data" / "attestation" / "play_integrity"
    minted = json.loads((folder / "minted_keys.json").read_text())
    keys = put(
        tmp_path,
        "keys.json",
        json.dumps(
            {
                "decryption_key": minted["decryption_key_b64_std"],
                "verification_key": minted["verification_key_spki_b64_std"],
            }
        ).encode(),
    )
    token = folder / "token_classic.jwe"
    assert set(checks(token).values()) == {"NOT_EVALUATED"}
    assert checks(token, "--play-keys", keys)["play_integrity.token"] == "PASS"
    assert checks(folder / "bad_alg_none.jwe", "--play-keys", keys)["play_integrity.token"] == "FAIL"
    payload = folder / "payload_repackaged.json"
    found = checks(payload)
    assert found["play_integrity.token"] == "NOT_EVALUATED"
    assert found["play_integrity.app_recognition"] == "FAIL"
    status, _, output = run(folder / "bad_no_jwe_layer.jws")
    assert status == 2
    assert "encrypted and has five parts" in output
    status, _, output = run(token, "--play-keys", put(tmp_path, "no.json", b"{}"))
    assert status == 2
    assert "decryption_key" in output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--challenge", "abc"), "two digits per byte"),
        (("--at", "yesterday"), "write a time such as"),
        (("--at", "2026-03-01T12:00:00"), "add the time zone"),
        (("--public-key", "missing.pem"), "missing.pem cannot be read"),
    ],
)
def test_options_that_cannot_be_understood(tmp_path: Path, arguments: tuple[str, ...], says: str) -> None:
    status, output, error = run(put(tmp_path, "assertion", _KEY.assertion(_H)), *arguments)
    assert (status, output) == (2, "")
    assert says in error


def test_apps_of_android_need_a_digest(assets: Path) -> None:
    file = _android(assets, "caiman", "sdk36", "SB_EC_RKP.pem")
    for text in ("org.example.bank", "org.example.bank@abcd", "org.example.bank@" + "a:" * 33):
        status, _, error = run(file, "--app", text)
        assert status == 2
        assert "the package, @, and the SHA-256" in error


def test_a_folder_unknown_evidence_and_a_malformed_key_are_refused(tmp_path: Path) -> None:
    for file, words in ((tmp_path, "cannot be read"), (put(tmp_path, "text", b"hello"), "not a known kind")):
        status, _, error = run(file)
        assert status == 2
        assert words in error
    assertion = put(tmp_path, "assertion", _KEY.assertion(_H))
    assert "no public key in PEM" in run(assertion, "--public-key", put(tmp_path, "none.pem", b"x"))[2]
    other = ec.derive_private_key(7, ec.SECP384R1()).public_key()
    text = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert "not on the curve P-256" in run(assertion, "--public-key", put(tmp_path, "p384.pem", text))[2]


def test_evidence_cannot_steer_the_terminal(tmp_path: Path) -> None:
    phone = Authenticator(key=ec.derive_private_key(5, ec.SECP256R1()))
    browser = client_data(_H, kind="webauthn.create", origin="\x1b[2J[red]x[/red]")
    file = put(tmp_path, "attestation", phone.attestation(browser, phone.data(attested=True)))
    _, output, _ = run(file, "--client-data", put(tmp_path, "client.json", browser))
    assert "\x1b[2J" not in output
    assert "[red]x[/red]" in output


def test_the_time_is_now_where_none_is_given(tmp_path: Path) -> None:
    apple = SoftwareApple()
    file = put(tmp_path, "attestation", apple.attestation(_KEY, _H))
    late = (NOW + timedelta(days=3650)).isoformat()
    _, output, _ = run(file, "--at", late)
    assert "CERTIFICATE_NOT_VALID_NOW" in output
    assert run(file)[0] == 1


_APPLE = SoftwareApple()
_OTHER_KEY = SoftwareKey(key=ec.derive_private_key(3, ec.SECP256R1()))
_PHONE = Authenticator(key=ec.derive_private_key(3, ec.SECP256R1()))
_CERTIFICATES = (_APPLE.intermediate, _APPLE.root)
_TOKEN = b"eyJhbGciOiJBMjU2S1cifQ.AAAA.AAAA.AAAA.AAAA"
_PAYLOAD = b'{"requestDetails": {}}'
_SAMPLES = [
    (RecognisedKind.APP_ATTEST, _APPLE.attestation(_OTHER_KEY, b"")),
    (RecognisedKind.APP_ATTEST_ASSERTION, _OTHER_KEY.assertion(b"")),
    (RecognisedKind.APP_ATTEST_RECEIPT, _APPLE.changed_receipt(_OTHER_KEY)),
    (RecognisedKind.APP_ATTEST_RECEIPT, _APPLE.changed_receipt(_OTHER_KEY, indefinite=False)),
    (RecognisedKind.WEB_AUTHN, _PHONE.attestation(b"", _PHONE.data(attested=True))),
    (RecognisedKind.ANDROID_CHAIN, b"".join(one.der for one in _CERTIFICATES)),
]


@pytest.mark.parametrize(("kind", "data"), _SAMPLES)
def test_binary_and_both_kinds_of_base64(kind: RecognisedKind, data: bytes) -> None:
    for written in (
        data,
        base64.b64encode(data),
        base64.urlsafe_b64encode(data).rstrip(b"="),
        base64.encodebytes(data),
    ):
        found = recognise(written)
        assert found.kind is kind
        assert b"".join(found.parts) == data


def test_certificates_in_pem_and_in_a_row() -> None:
    pem = b"leaf first\n" + b"\n".join(one.certificate.public_bytes(Encoding.PEM) for one in _CERTIFICATES)
    parts = tuple(one.der for one in _CERTIFICATES)
    assert recognise(pem).parts == parts
    assert recognise(pem.replace(b"\n", b"\r\n")).parts == parts
    assert recognise(b"".join(parts)).parts == parts


def test_a_play_token_is_recognised() -> None:
    assert recognise(_TOKEN + b"\n").kind is RecognisedKind.PLAY_TOKEN
    assert recognise(_PAYLOAD).kind is RecognisedKind.PLAY_PAYLOAD
    assert recognise(b'{"tokenPayloadExternal": {}}').kind is RecognisedKind.PLAY_PAYLOAD


@pytest.mark.parametrize("data", [b"", b"{}", b'{"a": 1}', b"[", b"{" * 5000, b"A", b"AAAA", b"\xa1\x00\x00"])
@pytest.mark.usefixtures("without_collection")
def test_nothing_that_is_known(data: bytes) -> None:
    with pytest.raises(CommandError, match="not a known kind of evidence"):
        recognise(data)


def test_a_file_of_certificates_that_never_end_takes_no_time() -> None:
    """With a search to the file's end from every start this takes minutes."""
    with pytest.raises(CommandError):
        recognise(b"-----BEGIN CERTIFICATE-----\n" * 20_000)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_give_a_kind_or_the_error(data: bytes) -> None:
    try:
        assert recognise(data).parts
    except CommandError:
        return


_LIST = b'{"entries": {"ab": {"status": "REVOKED"}}}'


class _Google(HTTPServer):
    """Answers with one list and set headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.body = _LIST
        self.sent: dict[str, str] = {}
        self.status = 200

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_port}/attestation/status"


class _Handler(BaseHTTPRequestHandler):
    server: _Google

    def do_GET(self) -> None:
        self.send_response_only(self.server.status)
        for name, value in self.server.sent.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def google() -> Iterator[_Google]:
    """A server in a thread."""
    with _Google() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _run(*words: str) -> Any:
    return _RUNNER.invoke(app, ["attest", "revocation", *words])


def test_a_list_is_fetched_and_dated(google: _Google, tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    result = _run(str(file), "--url", google.url)
    assert result.exit_code == 0
    assert file.read_bytes() == _LIST
    assert datetime.now(UTC) - read_revocation_files(file).fetched_at < timedelta(minutes=5)


def test_the_age_of_a_cached_list_includes_its_time_in_the_cache(google: _Google, tmp_path: Path) -> None:
    made = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=30)
    google.sent = {"Date": format_datetime(made, usegmt=True), "Age": "3600"}
    assert _run(str(tmp_path / "s"), "--url", google.url).exit_code == 0
    assert read_revocation_files(tmp_path / "s").fetched_at == made - timedelta(hours=1)
    # A clock that runs ahead makes no list younger than now.
    google.sent = {"Date": format_datetime(made + timedelta(days=9), usegmt=True)}
    assert _run(str(tmp_path / "s"), "--url", google.url).exit_code == 0
    assert read_revocation_files(tmp_path / "s").fetched_at <= datetime.now(UTC)


@pytest.mark.parametrize(("status", "body"), [(500, _LIST), (200, b""), (200, b'{"entries": {}}')])
def test_a_bad_answer_leaves_the_old_list_in_place(
    google: _Google, tmp_path: Path, status: int, body: bytes
) -> None:
    file = tmp_path / "status.json"
    assert _run(str(file), "--url", google.url).exit_code == 0
    before = read_revocation_files(file)
    google.status, google.body = status, body
    assert _run(str(file), "--url", google.url).exit_code == 2
    assert read_revocation_files(file) == before


def test_an_invalid_address_is_refused(tmp_path: Path) -> None:
    assert _run(str(tmp_path / "s"), "--url", "file:///etc/passwd").exit_code == 2
    assert list(tmp_path.iterdir()) == []

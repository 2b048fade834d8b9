"""Keys: their files, their rotation, and what they seal."""

import base64
import hashlib
import hmac
import itertools
import os
import secrets
import stat
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import KeySet

from server.base.sandbox import memory_scope
from server.configuration.tables import FileEncryption, KeySettings, TenantKeySettings
from server.keyring.key_encryption import KeyFileCipher, LocalKey, is_encrypted
from server.keyring.key_files import KeyFiles, KeysUnusable, open_key_files
from server.keyring.key_rotation import (
    KeyInUse,
    destroy_evidence_key,
    destroy_tenant_keys,
    encrypt_key_files,
    retire_evidence_key,
    retire_signing_key,
    rotate_key,
)
from server.keyring.keys import KeyFolder, KeyRing, MemoryKey, ScanTokens
from server.keyring.result_signer import ResultSigner
from server.keyring.sealing import (
    Context,
    SealBroken,
    Sealed,
    WrappingKeys,
    WrappingKeyUnknown,
    seal,
    unseal,
)
from tests.server.private_files import private

_KEY = bytes(range(32))
_NOW = datetime(2027, 11, 26, 8, 0, tzinfo=UTC)
_CHECK = UUID("6f2c1f7e-0d35-4c9b-8a41-8f5f7f3c2a11")
_AAD = Context(tenant="default", check_id=_CHECK, kind="TEMPLATE")
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


_LENIENT = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
_RSA_PUBLIC = (
    rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def opened(folder: Path) -> KeyFolder:
    return KeyFolder(KeyFiles(folder))


def in_use(keys: KeyRing) -> tuple[bytes, str, str]:
    return keys.challenges.newest, keys.results.key_id, keys.wrapping_keys.key_id_for("")


def test_the_first_start_makes_every_key_for_the_owner_only(folder: Path) -> None:
    opened(folder)
    assert {path.name for path in folder.iterdir()} == {
        "token-0001.key",
        "challenge-0001.pem",
        "result-0001.pem",
        "evidence-0001.key",
        "memory-0001.key",
        "audit-0001.pem",
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_later_starts_read_the_same_keys(folder: Path) -> None:
    first, second = opened(folder).keys, opened(folder).keys
    assert first.tokens.issue(_CHECK) == second.tokens.issue(_CHECK)
    assert first.challenges.newest == second.challenges.newest
    assert first.results.jwks() == second.results.jwks()
    newest = first.wrapping_keys.key_id_for("")
    assert first.wrapping_keys.key(newest) == second.wrapping_keys.key(newest)


def test_servers_that_start_at_once_agree(folder: Path) -> None:
    rings: list[KeyRing] = []
    threads = [threading.Thread(target=lambda: rings.append(opened(folder).keys)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(rings) == 8
    assert len({ring.tokens.issue(_CHECK) for ring in rings}) == 1
    assert len({ring.challenges.newest for ring in rings}) == 1
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_a_key_that_is_open_to_others_is_refused(folder: Path) -> None:
    opened(folder)
    (folder / "result-0001.pem").chmod(0o604)
    with pytest.raises(KeysUnusable, match=r"result-0001\.pem.*chmod 600"):
        opened(folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("token-0001.key", b"short", "has 5 bytes, expected 32"),
        ("evidence-0001.key", b"", "has 0 bytes"),
        ("challenge-0001.pem", b"no key", "not an unencrypted PEM"),
        ("result-0001.pem", b"x" * 20_000, "not a file of this kind"),
    ],
)
def test_a_damaged_key_is_refused_by_name(folder: Path, name: str, content: bytes, said: str) -> None:
    opened(folder)
    (folder / name).write_bytes(content)
    with pytest.raises(KeysUnusable, match=said) as caught:
        opened(folder)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "key",
    [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())],
    ids=["RSA", "P-384"],
)
def test_a_key_of_another_kind_is_refused(
    folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
) -> None:
    opened(folder)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "challenge-0001.pem").write_bytes(pem)
    with pytest.raises(KeysUnusable, match="P-256"):
        opened(folder)


@pytest.mark.parametrize("name", ["token-x.key", "token-1.key", "token-0000.key"])
def test_a_file_with_an_unclear_number_is_refused(folder: Path, name: str) -> None:
    opened(folder)
    (folder / name).write_bytes(_KEY)
    (folder / name).chmod(0o600)
    with pytest.raises(KeysUnusable, match="each number once"):
        opened(folder)


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(KeysUnusable, match="cannot be written"):
        KeyFolder(KeyFiles(tmp_path / "file" / "keys"))


def test_rotation_keeps_data_of_old_keys_valid(folder: Path) -> None:
    before = opened(folder).keys
    token = before.tokens.issue(_CHECK)
    signed = before.results.sign(b"result", tenant=None, sandbox=False)
    sealed = seal(b"x", wrapping_keys=before.wrapping_keys, aad=_AAD)
    for purpose in ("token", "result", "evidence", "challenge"):
        assert rotate_key(KeyFiles(folder), purpose).name.startswith(f"{purpose}-0002.")

    after = opened(folder).keys
    assert after.tokens.issue(_CHECK) != token
    assert after.tokens.check_id_of(token) == _CHECK
    assert after.results.key_id != before.results.key_id
    keys = KeySet.import_key_set(after.results.jwks())  # type: ignore[arg-type] # its own dictionary type
    assert jws.deserialize_compact(signed, keys, registry=_LENIENT).payload == b"result"
    assert after.wrapping_keys.key_id_for("") != before.wrapping_keys.key_id_for("")
    assert unseal(sealed, wrapping_keys=after.wrapping_keys, aad=_AAD) == b"x"
    assert after.challenges.newest != before.challenges.newest
    # A check keeps the key that its device pinned.
    assert after.challenges.find(before.challenges.newest) is not None


def test_a_running_server_accepts_newer_keys_and_uses_its_own(folder: Path) -> None:
    running = opened(folder)
    kept = in_use(running.keys)
    token = running.keys.tokens.issue(_CHECK)
    assert running.refresh()
    for purpose in ("token", "challenge", "result", "evidence"):
        rotate_key(KeyFiles(folder), purpose)
    later = opened(folder).keys
    sealed = seal(b"x", wrapping_keys=later.wrapping_keys, aad=_AAD)
    assert running.keys.tokens.check_id_of(later.tokens.issue(_CHECK)) is None
    assert running.refresh()
    assert running.keys.tokens.check_id_of(later.tokens.issue(_CHECK)) == _CHECK
    assert running.keys.challenges.find(later.challenges.newest) is not None
    assert later.results.key_id in {key["kid"] for key in running.keys.results.jwks()["keys"]}
    assert unseal(sealed, wrapping_keys=running.keys.wrapping_keys, aad=_AAD) == b"x"
    assert in_use(running.keys) == kept
    assert running.keys.tokens.issue(_CHECK) == token


@pytest.mark.parametrize("name", ["token-0002.key", "challenge-0002.pem", "evidence-0002.key"])
def test_a_damaged_new_key_changes_nothing_until_it_is_mended(folder: Path, name: str) -> None:
    running = opened(folder)
    (folder / name).write_bytes(b"x")
    (folder / name).chmod(0o600)
    assert not running.refresh()
    assert not running.refresh()
    (folder / name).unlink()
    assert running.refresh()


def test_a_retired_key_leaves_its_public_half_and_the_times_of_its_use_in_the_jwks(folder: Path) -> None:
    made = datetime.now(UTC).replace(microsecond=0)
    before = opened(folder).keys.results
    signed = before.sign(b"result", tenant="default", sandbox=False)
    with pytest.raises(KeysUnusable, match="newest"):
        retire_signing_key(KeyFiles(folder), "result", 1, now=_NOW)
    rotate_key(KeyFiles(folder), "result")
    kept = retire_signing_key(KeyFiles(folder), "result", 1, now=_NOW)
    assert not (folder / "result-0001.pem").exists()
    assert b"PRIVATE" not in kept.read_bytes()
    after = opened(folder).keys.results
    newest, retired = after.jwks()["keys"]
    assert [newest["kid"], retired["kid"]] == [after.key_id, before.key_id]
    assert "exp" not in newest
    assert retired["exp"] == int(_NOW.timestamp())
    assert made.timestamp() <= retired["iat"] <= datetime.now(UTC).timestamp()
    keys = KeySet.import_key_set(after.jwks())  # type: ignore[arg-type] # its own dictionary type
    assert jws.deserialize_compact(signed, keys, registry=_LENIENT).payload == b"result"
    with pytest.raises(KeysUnusable, match=r"no key result-0001\.pem"):
        retire_signing_key(KeyFiles(folder), "result", 1, now=_NOW)


@pytest.mark.parametrize("content", [b"", b"no key", _RSA_PUBLIC])
def test_a_malformed_public_key_is_refused(folder: Path, content: bytes) -> None:
    opened(folder)
    private(folder / "result-0009.pub", content)
    with pytest.raises(KeysUnusable, match=r"result-0009\.pub"):
        opened(folder)


def test_only_known_purposes_rotate(folder: Path) -> None:
    with pytest.raises(KeysUnusable, match="token, challenge, result, evidence"):
        rotate_key(KeyFiles(folder), "nothing")


def test_the_pin_of_apps_is_the_hash_of_the_public_key(folder: Path) -> None:
    ring = opened(folder).keys
    key = ring.challenges.find(ring.challenges.newest)
    assert key is not None
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert ring.challenges.newest == hashlib.sha256(spki).digest()


def test_a_token_has_the_documented_form() -> None:
    token = ScanTokens((_KEY,)).issue(_CHECK)
    data = base64.urlsafe_b64decode(token + "=")
    assert len(token) == 71
    assert data[:1] == b"\x01"
    assert data[1:5] == hashlib.sha256(b"facegate/v1/scan-token-key-id" + _KEY).digest()[:4]
    assert data[5:21] == _CHECK.bytes
    assert data[21:] == hmac.new(_KEY, b"facegate/v1/scan-token" + data[:21], "sha256").digest()


@given(st.uuids())
def test_a_token_names_its_check_and_is_deterministic(check_id: UUID) -> None:
    tokens = ScanTokens((_KEY,))
    token = tokens.issue(check_id)
    assert tokens.check_id_of(token) == check_id
    assert token == ScanTokens((_KEY,)).issue(check_id)


@given(st.integers(0, 70), st.sampled_from(_ALPHABET))
def test_any_changed_character_is_noticed(place: int, character: str) -> None:
    tokens = ScanTokens((_KEY,))
    token = tokens.issue(_CHECK)
    changed = token[:place] + character + token[place + 1 :]
    assert (tokens.check_id_of(changed) == _CHECK) is (changed == token)


@given(st.one_of(st.text(max_size=90), st.text(alphabet=_ALPHABET, min_size=71, max_size=71)))
def test_anything_else_is_no_token(text: str) -> None:
    assert ScanTokens((_KEY,)).check_id_of(text) is None


def test_a_signed_result_verifies_offline_with_the_published_keys(folder: Path) -> None:
    signer = opened(folder).keys.results
    payload = os.urandom(3000)
    token = signer.sign(payload, tenant="default", sandbox=False)
    keys = KeySet.import_key_set(signer.jwks())  # type: ignore[arg-type] # its own dictionary type
    verified = jws.deserialize_compact(token, keys, registry=_LENIENT)
    assert verified.payload == payload
    assert verified.headers() == {
        "alg": "ES256",
        "kid": signer.key_id,
        "typ": "facegate-result",
        "iss": "facegate",
        "tenant": "default",
    }
    header, body, signature = token.split(".")
    altered = f"{header}.{body[:-4]}AAAA.{signature}"
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(altered, keys, registry=_LENIENT)


def test_the_published_keys_are_public_only() -> None:
    jwks = ResultSigner(ec.generate_private_key(ec.SECP256R1())).jwks()
    (key,) = jwks["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_the_key_identifier_is_the_rfc_7638_thumbprint() -> None:
    signer = ResultSigner(ec.generate_private_key(ec.SECP256R1()))
    key = signer.jwks()["keys"][0]
    canonical = '{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.format(**key)
    digest = hashlib.sha256(canonical.encode()).digest()
    assert signer.key_id == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def test_a_person_has_one_hash_before_and_after_rotations() -> None:
    key = MemoryKey(bytes(32))
    anna = key.subject_hash("bank", "anna")
    rotated = MemoryKey(bytes([2]) * 32, earlier=(bytes([1]) * 32, bytes(32)))
    assert rotated.subject_hash("bank", "anna") == anna
    assert rotated.tenant_key("bank") != key.tenant_key("bank")
    assert len(bytes.fromhex(anna)) == 32
    others = {
        key.subject_hash("bank", "bert"),
        key.subject_hash("branch", "anna"),
        key.subject_hash("sandbox:bank", "anna"),
        MemoryKey(bytes([1]) * 32).subject_hash("bank", "anna"),
    }
    assert len({anna, *others}) == 5
    assert key.subject_hashes("bank", "anna") == (anna, key.subject_hash("sandbox:bank", "anna"))
    assert (key.subject_hash("bank", ""), key.subject_hashes("bank", "")) == ("", ())


_LATER = datetime.now(UTC) + timedelta(days=1)
_KEK, _OTHER_KEK = LocalKey("file:a", os.urandom(32)), LocalKey("file:b", os.urandom(32))


def encrypted(folder: Path, *keys: LocalKey) -> KeyFiles:
    return KeyFiles(folder, cipher=KeyFileCipher(keys))


def with_tenant(folder: Path) -> KeyFiles:
    return KeyFiles(folder, tenants={"bank": KeyFileCipher([_KEK])})


def wrapping(files: KeyFiles, tenant: str = "") -> str:
    return KeyFolder(files).keys.wrapping_keys.key_id_for(tenant)


def test_every_secret_file_is_encrypted_and_read_again(folder: Path) -> None:
    first = KeyFolder(encrypted(folder, _KEK)).keys
    assert all(is_encrypted(path.read_bytes()) for path in folder.iterdir())
    again = KeyFolder(encrypted(folder, _KEK)).keys
    assert again.results.key_id == first.results.key_id
    newest = first.wrapping_keys.key_id_for("")
    assert again.wrapping_keys.key(newest) == first.wrapping_keys.key(newest)


def test_a_server_without_the_key_does_not_start(folder: Path) -> None:
    KeyFolder(encrypted(folder, _KEK))
    with pytest.raises(KeysUnusable, match=r"file:a, which keys\.encryption does not name"):
        KeyFolder(KeyFiles(folder))
    with pytest.raises(KeysUnusable, match="did not encrypt"):
        KeyFolder(encrypted(folder, LocalKey("file:a", os.urandom(32))))


def test_a_file_of_another_purpose_is_refused(folder: Path) -> None:
    KeyFolder(encrypted(folder, _KEK))
    (folder / "memory-0001.key").write_bytes((folder / "evidence-0001.key").read_bytes())
    with pytest.raises(KeysUnusable, match=r"memory-0001\.key"):
        KeyFolder(encrypted(folder, _KEK))


def test_files_are_encrypted_and_changed_over_to_another_key(folder: Path) -> None:
    clear = KeyFolder(KeyFiles(folder)).keys
    for keys in (_KEK,), (_OTHER_KEK, _KEK):
        files = encrypted(folder, *keys)
        assert len(encrypt_key_files(files)) == 6
        assert encrypt_key_files(files) == ()
        assert KeyFolder(files).keys.results.key_id == clear.results.key_id
    assert KeyFolder(encrypted(folder, _OTHER_KEK)).keys.results.key_id == clear.results.key_id


def test_a_running_server_wraps_as_before_until_its_key_is_retired(folder: Path) -> None:
    files = KeyFiles(folder)
    running = KeyFolder(files)
    keys = running.keys.wrapping_keys
    first = keys.key_id_for("")
    rotate_key(files, "evidence")
    assert running.refresh()
    assert keys.key_id_for("") == first
    retire_evidence_key(files, 1)
    assert running.refresh()
    assert keys.key_id_for("") != first
    assert keys.key(first)
    destroy_evidence_key(files, 1, in_use=(), now=_LATER)
    assert running.refresh()
    with pytest.raises(WrappingKeyUnknown):
        keys.key(first)


def test_a_key_in_use_is_not_destroyed(folder: Path) -> None:
    files = KeyFiles(folder)
    used = wrapping(files)
    rotate_key(files, "evidence")
    with pytest.raises(KeysUnusable, match="retired are: none"):
        destroy_evidence_key(files, 1, in_use=(), now=_LATER)
    retire_evidence_key(files, 1)
    with pytest.raises(KeyInUse, match="rewrap"):
        destroy_evidence_key(files, 1, in_use={used}, now=_LATER)
    with pytest.raises(KeyInUse, match="60 seconds"):
        destroy_evidence_key(files, 1, in_use=(), now=datetime.now(UTC))
    assert (folder / "evidence-0001.retired").exists()


def test_the_newest_evidence_key_is_not_retired(folder: Path) -> None:
    files = KeyFiles(folder)
    KeyFolder(files)
    with pytest.raises(KeysUnusable, match="rotate evidence"):
        retire_evidence_key(files, 1)


def test_a_number_is_never_used_twice(folder: Path) -> None:
    files = KeyFiles(folder)
    KeyFolder(files)
    rotate_key(files, "result")
    retire_signing_key(files, "result", 1, now=datetime.now(UTC))
    assert rotate_key(files, "result").name == "result-0003.pem"


def test_a_tenant_has_keys_of_its_own(folder: Path) -> None:
    files = with_tenant(folder)
    keys = KeyFolder(files).keys.wrapping_keys
    assert keys.key_id_for("bank") != keys.key_id_for("other") == keys.key_id_for("")
    assert keys.key_id_for(memory_scope("bank", sandbox=True)) == keys.key_id_for("bank")
    assert is_encrypted((folder / "tenants" / "bank" / "evidence-0001.key").read_bytes())
    assert len((folder / "evidence-0001.key").read_bytes()) == 32


def test_the_key_of_one_tenant_is_none_of_another(folder: Path) -> None:
    both = {"bank": KeyFileCipher([_KEK]), "shop": KeyFileCipher([_KEK])}
    KeyFolder(KeyFiles(folder, tenants=both))
    tenants = folder / "tenants"
    (tenants / "shop" / "evidence-0001.key").write_bytes(
        (tenants / "bank" / "evidence-0001.key").read_bytes()
    )
    with pytest.raises(KeysUnusable, match="shop"):
        KeyFolder(KeyFiles(folder, tenants=both))


def test_a_tenants_destroyed_keys_are_gone_from_a_running_server(folder: Path) -> None:
    files = with_tenant(folder)
    running = KeyFolder(files)
    keys = running.keys.wrapping_keys
    first, own = keys.key_id_for("bank"), keys.key_id_for("")
    assert [path.name for path in destroy_tenant_keys(files, "bank")] == ["evidence-0001.key"]
    assert running.refresh()
    with pytest.raises(WrappingKeyUnknown):
        keys.key(first)
    # What comes later is sealed under a new key of the tenant's, never under the server's.
    assert keys.key_id_for("bank") not in {first, own}


@pytest.mark.parametrize("tenant", ["", "nobody"])
def test_only_tenants_with_keys_of_their_own_lose_them(tenant: str, folder: Path) -> None:
    files = with_tenant(folder)
    KeyFolder(files)
    with pytest.raises(KeysUnusable, match="bank"):
        destroy_tenant_keys(files, tenant)
    with pytest.raises(KeysUnusable, match="only evidence"):
        rotate_key(files, "result", tenant="bank")


def test_a_key_is_decrypted_once_in_the_life_of_a_server(folder: Path) -> None:
    class Counting(LocalKey):
        calls = 0

        def decrypt(self, ciphertext: bytes, *, context: bytes) -> bytes:
            self.calls += 1
            return super().decrypt(ciphertext, context=context)

    kek = Counting("file:a", os.urandom(32))
    running = KeyFolder(encrypted(folder, kek))
    assert kek.calls == 6
    assert running.refresh()
    assert kek.calls == 6


def test_settings_open_the_files(folder: Path, tmp_path: Path) -> None:
    path = private(tmp_path / "kek", base64.b64encode(os.urandom(32)))
    entry = FileEncryption(kind="file", path=path)
    settings = KeySettings(encryption=(entry,), tenants={"bank": TenantKeySettings()})
    keys = KeyFolder(open_key_files(folder, settings)).keys
    assert keys.wrapping_keys.key_id_for("bank") != keys.wrapping_keys.key_id_for("")
    assert is_encrypted((folder / "tenants" / "bank" / "evidence-0001.key").read_bytes())


@pytest.mark.parametrize("purpose", ["evidence", "result"])
def test_a_removed_key_leaves_no_copy_of_an_interrupted_write(folder: Path, purpose: str) -> None:
    files = KeyFiles(folder)
    KeyFolder(files)
    (path,) = folder.glob(f"{purpose}-0001.*")
    secret = path.read_bytes()
    # A process that was killed between the two names of a new file.
    os.link(path, folder / f".{path.name}.0123456789abcdef")
    rotate_key(files, purpose)
    if purpose == "evidence":
        retire_evidence_key(files, 1)
        destroy_evidence_key(files, 1, in_use=(), now=_LATER)
    else:
        retire_signing_key(files, purpose, 1, now=_LATER)
    assert all(file.read_bytes() != secret for file in folder.iterdir())


_OLD = WrappingKeys(newest="old", keys={"old": bytes(range(32))})
_BOTH = WrappingKeys(newest="new", keys={"old": bytes(range(32)), "new": bytes(range(32, 64))})
_SEALING_AAD = Context(tenant="default", check_id=_CHECK, kind="EVIDENCE_FRAME")


@given(st.binary(max_size=2000))
def test_sealed_data_are_opened(plaintext: bytes) -> None:
    sealed = seal(plaintext, wrapping_keys=_OLD, aad=_SEALING_AAD)
    assert unseal(sealed, wrapping_keys=_OLD, aad=_SEALING_AAD) == plaintext
    assert len(sealed.ciphertext) == 1 + 12 + len(plaintext) + 16
    assert len(sealed.wrapped_key) == 61


def test_the_form_is_fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A vector: later versions must open the data that this version seals."""
    numbers = itertools.count(1)
    monkeypatch.setattr(secrets, "token_bytes", lambda count: bytes([next(numbers)]) * count)
    sealed = seal(b"a picture", wrapping_keys=_OLD, aad=_SEALING_AAD)
    vector = Sealed(
        ciphertext=bytes.fromhex(
            "0202020202020202020202020266f6b9202923b48fb6be1bad50ecb5d49d8d55d73c301e6bbe"
        ),
        wrapped_key=bytes.fromhex(
            "02030303030303030303030303ef4a3dd70a935317df5c077fccab55061b57f7f1dbf93db083bc47"
            "1c0523a853ad1b1f0fedc7fe8190fdb3217e198238"
        ),
        key_id="old",
    )
    assert sealed == vector
    assert unseal(vector, wrapping_keys=_BOTH, aad=_SEALING_AAD) == b"a picture"


def test_an_unknown_format_is_refused() -> None:
    sealed = seal(b"x", wrapping_keys=_OLD, aad=_SEALING_AAD)
    for form in (b"\x00", b"\x01", b"\x03"):
        for damaged in (
            replace(sealed, ciphertext=form + sealed.ciphertext[1:]),
            replace(sealed, wrapped_key=form + sealed.wrapped_key[1:]),
        ):
            with pytest.raises(SealBroken):
                unseal(damaged, wrapping_keys=_OLD, aad=_SEALING_AAD)


def test_every_record_has_its_own_key_and_nonces() -> None:
    first, second = (seal(b"same", wrapping_keys=_OLD, aad=_SEALING_AAD) for _ in range(2))
    assert first.ciphertext != second.ciphertext
    assert first.wrapped_key != second.wrapped_key


def test_the_newest_key_wraps_and_old_ones_open() -> None:
    old = seal(b"x", wrapping_keys=_OLD, aad=_SEALING_AAD)
    new = seal(b"x", wrapping_keys=_BOTH, aad=_SEALING_AAD)
    assert (old.key_id, new.key_id) == ("old", "new")
    assert unseal(old, wrapping_keys=_BOTH, aad=_SEALING_AAD) == b"x"
    with pytest.raises(WrappingKeyUnknown) as caught:
        unseal(new, wrapping_keys=_OLD, aad=_SEALING_AAD)
    assert caught.value.key_id == "new"


@given(st.data())
def test_any_flipped_bit_is_noticed(data: st.DataObject) -> None:
    sealed = seal(b"evidence", wrapping_keys=_OLD, aad=_SEALING_AAD)
    part = data.draw(st.sampled_from(["ciphertext", "wrapped_key"]))
    content = bytearray(getattr(sealed, part))
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    parts = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key, part: bytes(content)}
    with pytest.raises(SealBroken):
        unseal(Sealed(**parts, key_id="old"), wrapping_keys=_OLD, aad=_SEALING_AAD)


@given(st.data())
def test_any_shorter_data_are_noticed(data: st.DataObject) -> None:
    sealed = seal(b"evidence", wrapping_keys=_OLD, aad=_SEALING_AAD)
    part = data.draw(st.sampled_from(["ciphertext", "wrapped_key"]))
    content = getattr(sealed, part)
    parts = {"ciphertext": sealed.ciphertext, "wrapped_key": sealed.wrapped_key}
    parts[part] = content[: data.draw(st.integers(0, len(content) - 1))]
    with pytest.raises(SealBroken):
        unseal(Sealed(**parts, key_id="old"), wrapping_keys=_OLD, aad=_SEALING_AAD)


@pytest.mark.parametrize(
    "aad",
    [
        replace(_SEALING_AAD, tenant="another"),
        replace(_SEALING_AAD, check_id=uuid4()),
        replace(_SEALING_AAD, kind="AUDIT_IMAGE"),
        replace(_SEALING_AAD, version=2),
    ],
    ids=["tenant", "check", "kind", "version"],
)
def test_a_record_opens_in_its_own_context_only(aad: Context) -> None:
    sealed = seal(b"x", wrapping_keys=_OLD, aad=_SEALING_AAD)
    with pytest.raises(SealBroken):
        unseal(sealed, wrapping_keys=_OLD, aad=aad)


def test_a_key_wrapped_for_another_record_does_not_open_this_one() -> None:
    one = seal(b"one", wrapping_keys=_OLD, aad=_SEALING_AAD)
    two = seal(b"two", wrapping_keys=_OLD, aad=_SEALING_AAD)
    with pytest.raises(SealBroken):
        unseal(Sealed(one.ciphertext, two.wrapped_key, "old"), wrapping_keys=_OLD, aad=_SEALING_AAD)


@given(
    st.tuples(st.text(max_size=8), st.text(max_size=8)), st.tuples(st.text(max_size=8), st.text(max_size=8))
)
def test_different_contexts_have_different_associated_data(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    first, second = (
        Context(tenant=tenant, check_id=_CHECK, kind=kind).aad(b"\x02") for tenant, kind in (one, other)
    )
    assert (first == second) is (one == other)


def test_wrapping_keys_must_be_whole() -> None:
    with pytest.raises(WrappingKeyUnknown):
        WrappingKeys(newest="missing", keys={"old": bytes(32)})
    with pytest.raises(SealBroken):
        WrappingKeys(newest="short", keys={"short": bytes(16)})


def test_nothing_secret_is_in_a_repr() -> None:
    sealed = seal(b"x", wrapping_keys=_OLD, aad=_SEALING_AAD)
    assert repr(sealed) == "Sealed(key_id='old')"
    assert repr(_OLD) == "WrappingKeys(wrapping={'': 'old'})"

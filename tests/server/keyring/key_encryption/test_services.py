"""Every kind of key-encryption key, against real servers."""

import base64
import os
from pathlib import Path

import pytest

from server.keyring.key_encryption import (
    AwsKms,
    KeyEncryption,
    KeyEncryptionError,
    KeyEncryptionUnavailable,
    KeyNotDecrypted,
    VaultTransit,
    key_from_environment,
    key_from_file,
)
from tests.server.keyring.key_encryption.services import Bao
from tests.server.s3_process import S3


def test_a_key_decrypts_what_it_encrypted(encryption: KeyEncryption) -> None:
    plaintext = os.urandom(32)
    ciphertext = encryption.encrypt(plaintext, context=b"evidence")
    assert plaintext not in ciphertext
    assert encryption.decrypt(ciphertext, context=b"evidence") == plaintext


def test_a_private_key_in_pem_fits(encryption: KeyEncryption) -> None:
    plaintext = os.urandom(1_000)
    assert encryption.decrypt(encryption.encrypt(plaintext, context=b""), context=b"") == plaintext


def test_another_context_does_not_decrypt(encryption: KeyEncryption) -> None:
    ciphertext = encryption.encrypt(b"key", context=b"evidence")
    with pytest.raises(KeyNotDecrypted):
        encryption.decrypt(ciphertext, context=b"token")


def test_altered_bytes_do_not_decrypt(encryption: KeyEncryption) -> None:
    ciphertext = bytearray(encryption.encrypt(b"key", context=b"evidence"))
    ciphertext[-3] ^= 1
    with pytest.raises(KeyNotDecrypted):
        encryption.decrypt(bytes(ciphertext), context=b"evidence")


def test_a_destroyed_key_decrypts_nothing(bao: Bao, token_file: Path) -> None:
    bao.call("transit/keys/short-lived", {})
    encryption = VaultTransit(address=bao.address, mount="transit", key="short-lived", token_file=token_file)
    ciphertext = encryption.encrypt(b"key", context=b"evidence")
    bao.call("transit/keys/short-lived/config", {"deletion_allowed": True})
    bao.call("transit/keys/short-lived", {}, method="DELETE")
    with pytest.raises(KeyEncryptionError):
        encryption.decrypt(ciphertext, context=b"evidence")


def test_a_key_of_kms_that_does_not_exist_is_unavailable(aws: S3, kms_key: str) -> None:
    del kms_key  # only its credentials are needed
    encryption = AwsKms(key="alias/none", region="eu-central-1", endpoint=aws.endpoint)
    with pytest.raises(KeyEncryptionUnavailable, match="NotFoundException"):
        encryption.encrypt(b"key", context=b"")


def test_a_service_that_does_not_answer_is_unavailable(kms_key: str, token_file: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    for encryption in (
        AwsKms(key=kms_key, region="eu-central-1", endpoint=nowhere),
        VaultTransit(address=nowhere, mount="transit", key="facegate", token_file=token_file),
    ):
        with pytest.raises(KeyEncryptionUnavailable):
            encryption.encrypt(b"key", context=b"")


def test_a_token_that_is_not_valid_is_unavailable_and_not_repeated(bao: Bao, token_file: Path) -> None:
    token_file.write_text("not-a-token")
    encryption = VaultTransit(address=bao.address, mount="transit", key="facegate", token_file=token_file)
    with pytest.raises(KeyEncryptionUnavailable, match="Forbidden") as caught:
        encryption.encrypt(b"key", context=b"")
    assert "not-a-token" not in str(caught.value)


def test_a_renewed_token_is_used(bao: Bao, token_file: Path) -> None:
    token_file.write_text("not-a-token")
    encryption = VaultTransit(address=bao.address, mount="transit", key="facegate", token_file=token_file)
    with pytest.raises(KeyEncryptionUnavailable):
        encryption.encrypt(b"key", context=b"")
    token_file.write_text(bao.token)
    assert encryption.decrypt(encryption.encrypt(b"key", context=b""), context=b"") == b"key"


def test_a_rotated_transit_key_still_decrypts(bao: Bao, transit: VaultTransit) -> None:
    before = transit.encrypt(b"key", context=b"")
    bao.call("transit/keys/facegate/rotate", {})
    after = transit.encrypt(b"key", context=b"")
    assert before[:9] != after[:9]
    assert transit.decrypt(before, context=b"") == transit.decrypt(after, context=b"") == b"key"


@pytest.mark.parametrize("text", ["", "not base64!", base64.b64encode(bytes(31)).decode()])
def test_a_local_key_that_is_none_is_refused_without_its_text(text: str, tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.touch(0o600)
    path.write_text(text)
    with pytest.raises(KeyEncryptionUnavailable) as in_file:
        key_from_file(path)
    with pytest.raises(KeyEncryptionUnavailable) as in_environment:
        key_from_environment("KEK", {"KEK": text})
    assert not text or text not in f"{in_file.value}{in_environment.value}"


def test_a_local_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    path.write_bytes(base64.b64encode(os.urandom(32)))
    path.chmod(0o644)
    with pytest.raises(KeyEncryptionUnavailable):
        key_from_file(path)


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(KeyEncryptionUnavailable, match="FACEGATE_KEK"):
        key_from_environment("FACEGATE_KEK", {})

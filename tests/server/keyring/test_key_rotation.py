import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

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
from server.keyring.keys import KeyFolder
from server.keyring.sealing import WrappingKeyUnknown

_LATER = datetime.now(UTC) + timedelta(hours=1)
_KEK, _OTHER_KEK = LocalKey("file:a", os.urandom(32)), LocalKey("file:b", os.urandom(32))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


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
    assert again.wrapping_keys.key_ids == first.wrapping_keys.key_ids


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


def test_a_retired_result_key_keeps_the_times_of_its_use(folder: Path) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    files = encrypted(folder, _KEK)
    signed_by = KeyFolder(files).keys.results.key_id
    rotate_key(files, "result")
    end = before + timedelta(days=400)
    public = retire_signing_key(files, "result", 1, now=end)
    assert not is_encrypted(public.read_bytes())
    newest, retired = KeyFolder(files).keys.results.jwks()["keys"]
    assert retired["kid"] == signed_by
    assert retired["exp"] == int(end.timestamp())
    assert before.timestamp() <= retired["iat"] <= datetime.now(UTC).timestamp()
    assert "exp" not in newest


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
    assert first in keys.key_ids
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
    assert first not in keys.key_ids
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
    path = tmp_path / "kek"
    path.touch(0o600)
    path.write_bytes(base64.b64encode(os.urandom(32)))
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

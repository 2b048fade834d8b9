import base64
import json
import os
import stat
from pathlib import Path

import pytest

from server.backup import BackupDamaged, BackupError, TargetNotEmpty, pack_keys, unpack_keys


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return private(tmp_path / "backup.key", base64.b64encode(os.urandom(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    (folder / "tenants" / "bank").mkdir(parents=True)
    private(folder / "evidence-0001.key", b"secret of the server")
    private(folder / "tenants" / "bank" / "evidence-0001.key", b"secret of the bank")
    private(folder / ".evidence-0002.key.part", b"left by a crash")
    return folder


def private(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


def test_keys_come_back_and_nothing_is_in_clear(folder: Path, key_file: Path, tmp_path: Path) -> None:
    out, new = tmp_path / "out.json", tmp_path / "new"
    assert pack_keys(folder, out, key_file=key_file) == 2
    assert b"secret" not in out.read_bytes()
    assert b"evidence" not in out.read_bytes()
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert unpack_keys(out, new, key_file=key_file) == 2
    assert (new / "evidence-0001.key").read_bytes() == b"secret of the server"
    restored = new / "tenants" / "bank" / "evidence-0001.key"
    assert restored.read_bytes() == b"secret of the bank"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (new, *new.rglob("*")) if path.is_dir()} == {0o700}
    assert stat.S_IMODE(restored.stat().st_mode) == 0o600


def test_another_key_or_an_altered_file_is_refused(folder: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    pack_keys(folder, out, key_file=key_file)
    other = private(tmp_path / "other.key", base64.b64encode(os.urandom(32)))
    with pytest.raises(BackupDamaged):
        unpack_keys(out, tmp_path / "new", key_file=other)
    whole = out.read_bytes()
    packed = json.loads(whole)
    altered = bytearray(base64.b64decode(packed["keys"]))
    altered[40] ^= 1
    changed = json.dumps(packed | {"keys": base64.b64encode(altered).decode()}).encode()
    for content in (changed, whole[:-40], b"", b"[]", json.dumps(packed | {"format": "x"}).encode()):
        out.write_bytes(content)
        with pytest.raises(BackupDamaged):
            unpack_keys(out, tmp_path / "new", key_file=key_file)
    assert not (tmp_path / "new").exists()


def test_nothing_is_overwritten(folder: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    pack_keys(folder, out, key_file=key_file)
    with pytest.raises(TargetNotEmpty):
        pack_keys(folder, out, key_file=key_file)
    # Repeated after an interruption: what is there already stays, and what is missing comes.
    (folder / "tenants" / "bank" / "evidence-0001.key").unlink()
    assert unpack_keys(out, folder, key_file=key_file) == 2
    assert (folder / "tenants" / "bank" / "evidence-0001.key").read_bytes() == b"secret of the bank"
    for other in (folder / "evidence-0001.key", folder / "evidence-0002.key"):
        private(other, b"another secret")
        with pytest.raises(TargetNotEmpty):
            unpack_keys(out, folder, key_file=key_file)
        assert other.read_bytes() == b"another secret"


def test_a_key_that_is_none_is_refused(folder: Path, tmp_path: Path) -> None:
    for content in (b"", b"short", base64.b64encode(bytes(31))):
        key_file = private(tmp_path / "backup.key", content)
        with pytest.raises(BackupError, match="openssl rand"):
            pack_keys(folder, tmp_path / "out", key_file=key_file)
    with pytest.raises(BackupError, match="cannot be read"):
        pack_keys(folder, tmp_path / "out", key_file=tmp_path / "none")


def test_a_folder_without_keys_is_refused(key_file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BackupError, match="no key files"):
        pack_keys(tmp_path / "empty", tmp_path / "out", key_file=key_file)

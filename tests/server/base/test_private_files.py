import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.base.private_files import (
    PrivateFileError,
    make_private_file,
    make_private_folder,
    read_private_file,
    read_trusted_file,
    tighten,
)


@pytest.fixture(autouse=True)
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def written(path: Path, permissions: int) -> Path:
    path.write_bytes(b"secret")
    path.chmod(permissions)
    return path


@pytest.mark.parametrize("permissions", [0o600, 0o400, 0o440, 0o640])
def test_a_file_of_the_owner_and_a_reading_group_is_read(tmp_path: Path, permissions: int) -> None:
    assert read_private_file(written(tmp_path / "key", permissions), max_bytes=6) == b"secret"


@pytest.mark.parametrize("permissions", [0o644, 0o604, 0o602, 0o601, 0o620, 0o660])
def test_a_file_that_is_open_to_others_is_refused(tmp_path: Path, permissions: int) -> None:
    with pytest.raises(PrivateFileError, match=f"{permissions:04o}.*chmod 600") as caught:
        read_private_file(written(tmp_path / "key", permissions), max_bytes=6)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("permissions", [0o600, 0o444, 0o640, 0o644, 0o664])
def test_a_file_that_strangers_do_not_write_is_trusted(tmp_path: Path, permissions: int) -> None:
    assert read_trusted_file(written(tmp_path / "ca.pem", permissions), max_bytes=3) == b"secr"


@pytest.mark.parametrize("permissions", [0o646, 0o666, 0o602])
def test_a_file_that_others_write_is_not_trusted(tmp_path: Path, permissions: int) -> None:
    with pytest.raises(PrivateFileError, match=f"{permissions:04o}.*chmod o-w"):
        read_trusted_file(written(tmp_path / "ca.pem", permissions), max_bytes=3)


def test_secrets_as_kubernetes_mounts_them_are_read(tmp_path: Path) -> None:
    version = tmp_path / "..2026_11_24_10_00_00.1"
    version.mkdir()
    written(version / "tls.key", 0o440)
    (tmp_path / "..data").symlink_to(version.name)
    (tmp_path / "tls.key").symlink_to("..data/tls.key")
    assert read_private_file(tmp_path / "tls.key", max_bytes=10) == b"secret"
    (version / "tls.key").chmod(0o444)
    with pytest.raises(PrivateFileError, match="0444"):
        read_private_file(tmp_path / "tls.key", max_bytes=10)


def test_missing_or_oversized_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PrivateFileError, match="more than 5 bytes"):
        read_private_file(written(tmp_path / "key", 0o600), max_bytes=5)
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(PrivateFileError, match="cannot be read"):
            read_private_file(path, max_bytes=5)


def test_folders_are_made_for_the_owner_only(tmp_path: Path) -> None:
    make_private_folder(tmp_path / "a" / "b" / "c")
    assert {mode(tmp_path / path) for path in ("a", "a/b", "a/b/c")} == {0o700}
    (tmp_path / "a").chmod(0o755)
    make_private_folder(tmp_path / "a" / "d")
    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "d")) == (0o755, 0o700)
    written(tmp_path / "file", 0o600)
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            make_private_folder(folder)


def test_files_are_made_for_the_owner_only_and_tightened(tmp_path: Path) -> None:
    make_private_file(tmp_path / "new")
    assert mode(tmp_path / "new") == 0o600
    there = written(tmp_path / "there", 0o666)
    make_private_file(there)
    assert (mode(there), there.read_bytes()) == (0o600, b"secret")


def test_another_users_file_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = written(tmp_path / "theirs", 0o640)
    monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
    assert not tighten(theirs)
    assert mode(theirs) == 0o640
    assert tighten(written(tmp_path / "private", 0o600))


def test_a_file_system_without_permissions_is_borne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    (tmp_path / "file").touch(0o666)
    assert not tighten(tmp_path / "file")

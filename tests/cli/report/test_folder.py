import os
from pathlib import Path

import pytest

from cli.errors import OutputUnusable
from cli.report import check_writable, write_files


def test_a_folder_that_is_not_there_yet_can_be_written_to(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputUnusable, match="is a file"):
        check_writable(tmp_path / "file" / "report")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permissions_are_checked(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputUnusable, match="permissions"):
        check_writable(tmp_path / "report")


def test_text_and_bytes_are_written(tmp_path: Path) -> None:
    write_files(tmp_path / "new" / "report", {"a.txt": "ä", "b.png": b"\x89"})
    assert (tmp_path / "new" / "report" / "a.txt").read_bytes() == "ä".encode()
    assert (tmp_path / "new" / "report" / "b.png").read_bytes() == b"\x89"

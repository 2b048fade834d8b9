import os
from pathlib import Path

import pytest

from cli.errors import OutputUnusable
from cli.report import Chart, require_writable, write_report
from tests.cli.report.test_page import DOCUMENT


def test_a_folder_that_is_not_there_yet_can_be_written_to(tmp_path: Path) -> None:
    require_writable(tmp_path / "a" / "b")
    assert not (tmp_path / "a").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputUnusable, match="is a file"):
        require_writable(tmp_path / "file" / "report")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_permissions_are_checked(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputUnusable, match="permissions"):
        require_writable(tmp_path / "report")


def test_every_form_of_the_report_is_written(tmp_path: Path) -> None:
    out = tmp_path / "new" / "report"
    page = write_report(
        out,
        DOCUMENT,
        charts=[Chart(name="det", png=b"PNG", caption="c")],
        json="{}",
        more={"mistakes.jpg": b"JPEG"},
    )
    assert page == out / "report.html"
    assert {file.name for file in out.iterdir()} == {
        "det.png",
        "mistakes.jpg",
        "report.html",
        "report.json",
        "report.md",
    }
    assert (out / "report.json").read_bytes() == b"{}\n"
    assert "| open | 0.1 % |" in (out / "report.md").read_text(encoding="utf-8")

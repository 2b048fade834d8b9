import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.data_folder import protect_data


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """As an earlier version left it."""
    data = tmp_path / "data"
    for folder in ("keys", "objects/evidence/1"):
        (data / folder).mkdir(parents=True)
    for name in (
        "facegate.db",
        "facegate.db-wal",
        "facegate.db.lock",
        "keys/result-0001.pem",
        "keys/.result-0002.pem.ab12",
    ):
        (data / name).touch()
    for path in (data, data / "keys", data / "objects"):
        path.chmod(0o755)
    return data


def test_permissions_of_an_earlier_version_are_tightened(data: Path) -> None:
    with capture_logs() as lines:
        protect_data(data)
    assert {mode(path) for path in (data, data / "keys", data / "objects")} == {0o700}
    assert not lines


def test_a_folder_that_holds_something_else_stays_and_is_logged(data: Path) -> None:
    (data / "holiday.jpg").touch()
    with capture_logs() as lines:
        protect_data(data)
    assert (mode(data), mode(data / "keys")) == (0o755, 0o700)
    assert [(line["event"], line["folder"]) for line in lines] == [("data_folder_open_to_others", str(data))]
    data.chmod(0o750)
    with capture_logs() as lines:
        protect_data(data)
    assert (mode(data), lines) == (0o750, [])


def test_nothing_is_made(tmp_path: Path) -> None:
    protect_data(tmp_path / "none")
    (tmp_path / "file").touch()
    protect_data(tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]

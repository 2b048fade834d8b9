"""The revocation list as files that other programs update."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from device_integrity.errors import ReferenceDataMalformed
from server.device.revocation import RevocationFile, record_path, write_revocation_files

_FIRST = b'{"entries": {"ab": {"status": "REVOKED"}}}'
_SECOND = b'{"entries": {"ab": {"status": "REVOKED"}, "cd": {"status": "SUSPENDED"}}}'
_FETCHED = datetime(2026, 11, 1, tzinfo=UTC)
_DAY = timedelta(days=1)


def _entries(held: RevocationFile) -> int:
    return 0 if held.current is None else len(held.current.entries)


def test_without_a_file_there_is_no_list(tmp_path: Path) -> None:
    for path in (None, tmp_path / "missing.json"):
        held = RevocationFile(path)
        held.refresh(_FETCHED)
        assert held.current is None
        assert held.age(_FETCHED) is None


def test_a_changed_list_is_read_again_and_dated_by_its_record(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    held = RevocationFile(file)
    assert _entries(held) == 0
    held.refresh(_FETCHED)
    first = held.current
    assert first is not None
    assert first.fetched_at == _FETCHED
    held.refresh(_FETCHED)
    assert held.current is first
    write_revocation_files(file, _SECOND, fetched_at=_FETCHED + _DAY)
    held.refresh(_FETCHED + _DAY)
    assert _entries(held) == 2
    assert held.age(_FETCHED + 3 * _DAY) == 2 * _DAY


def test_touching_the_files_makes_no_list_younger(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    for path in (file, record_path(file)):
        later = (_FETCHED + 30 * _DAY).timestamp()
        os.utime(path, (later, later))
    held = RevocationFile(file)
    held.refresh(_FETCHED + 30 * _DAY)
    assert held.age(_FETCHED + 30 * _DAY) == 30 * _DAY


def test_the_same_list_that_is_fetched_again_is_young_again(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    held = RevocationFile(file)
    for day in range(3):
        write_revocation_files(file, _FIRST, fetched_at=_FETCHED + day * _DAY)
        held.refresh(_FETCHED)
        assert held.age(_FETCHED + day * _DAY) == timedelta(0)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda file: file.write_bytes(b"{"),
        lambda file: file.write_bytes(b'{"entries": {}}'),
        lambda file: file.write_bytes(_SECOND),
        lambda file: record_path(file).unlink(),
        lambda file: record_path(file).write_text("{}"),
        lambda file: record_path(file).write_text('{"sha256": "", "fetched_at": "2026-11-01T00:00:00"}'),
        lambda file: record_path(file).write_text("[" * 4000),
        lambda file: file.unlink(),
    ],
    ids=[
        "damaged",
        "empty",
        "no record of it",
        "no record",
        "no time",
        "no zone",
        "no record's form",
        "gone",
    ],
)
def test_files_that_cannot_be_used_are_logged_and_the_older_list_stays(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    held = RevocationFile(file)
    held.refresh(_FETCHED)
    spoil(file)
    with capture_logs() as logs:
        assert not held.refresh(_FETCHED)
    assert [entry["event"] for entry in logs] == ["revocation_list_unreadable"]
    assert _entries(held) == 1
    fresh = RevocationFile(file)
    assert not fresh.refresh(_FETCHED)
    assert fresh.current is None
    write_revocation_files(file, _SECOND, fetched_at=_FETCHED)
    assert held.refresh(_FETCHED)
    assert _entries(held) == 2


def test_the_written_list_is_writable_by_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    before = os.umask(0)
    try:
        write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (file, record_path(file))} == {0o644}
    held = RevocationFile(file)
    held.refresh(_FETCHED)
    assert _entries(held) == 1


def test_an_invalid_list_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    with pytest.raises(ReferenceDataMalformed):
        write_revocation_files(file, b'{"entries": {}}', fetched_at=_FETCHED + _DAY)
    held = RevocationFile(file)
    held.refresh(_FETCHED)
    assert held.age(_FETCHED) == timedelta(0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["status.json", "status.json.fetched"]


def test_an_aging_list_causes_an_early_warning(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    write_revocation_files(file, _FIRST, fetched_at=_FETCHED)
    held = RevocationFile(file, max_age=timedelta(hours=40))
    hours: list[int] = []
    for hour in range(45):
        with capture_logs() as logs:
            held.refresh(_FETCHED + timedelta(hours=hour))
        hours += [hour for entry in logs if entry["event"] == "revocation_list_old"]
    assert hours == [20, 24, 28, 32, 36, 40, 44]

"""The revocation list as a file that others keep fresh."""

import os
from datetime import UTC, datetime
from pathlib import Path

from structlog.testing import capture_logs

from server.device.revocation import RevocationFile

_FIRST = '{"entries": {"ab": {"status": "REVOKED"}}}'
_SECOND = '{"entries": {"ab": {"status": "REVOKED"}, "cd": {"status": "SUSPENDED"}}}'


def _write(file: Path, text: str, day: int) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(text)
    moment = datetime(2026, 11, day, tzinfo=UTC).timestamp()
    os.utime(fresh, (moment, moment))
    fresh.replace(file)


def _entries(list_file: RevocationFile) -> int:
    return 0 if list_file.current is None else len(list_file.current.entries)


def test_without_a_file_there_is_no_list(tmp_path: Path) -> None:
    for path in (None, tmp_path / "missing.json"):
        held = RevocationFile(path)
        held.refresh()
        assert held.current is None


def test_it_is_read_again_when_it_changes_and_dated_by_the_file(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    _write(file, _FIRST, 1)
    held = RevocationFile(file)
    assert _entries(held) == 0
    held.refresh()
    first = held.current
    assert first is not None
    assert first.fetched_at == datetime(2026, 11, 1, tzinfo=UTC)
    held.refresh()
    assert held.current is first
    _write(file, _SECOND, 2)
    held.refresh()
    assert _entries(held) == 2


def test_a_damaged_file_is_told_and_the_older_list_stays(tmp_path: Path) -> None:
    file = tmp_path / "status.json"
    _write(file, _FIRST, 1)
    held = RevocationFile(file)
    held.refresh()
    _write(file, "{", 2)
    with capture_logs() as logs:
        held.refresh()
    assert [entry["event"] for entry in logs] == ["revocation_list_unreadable"]
    assert _entries(held) == 1
    _write(file, _SECOND, 3)
    held.refresh()
    assert _entries(held) == 2

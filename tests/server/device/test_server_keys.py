"""The TLS keys that devices may see, over renewals of certificates."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.base.errors import ConfigurationError
from server.device.server_keys import ServerKeyList

_A, _B, _C = (bytes([mark] * 32) for mark in (0xA, 0xB, 0xC))
_DAY = timedelta(days=1).total_seconds()


class _Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


class _Files:
    """Files that are replaced when certificates are renewed."""

    def __init__(self, folder: Path) -> None:
        self.listed = folder / "keys.txt"
        self._made = 0

    def _replace(self, path: Path, content: bytes) -> None:
        self._made += 1
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        os.utime(fresh, (self._made, self._made))
        fresh.replace(path)

    def list(self, *keys: bytes) -> None:
        self.write("".join(f"{key.hex()}\n" for key in keys))

    def write(self, text: str) -> None:
        self._replace(self.listed, text.encode())

    def open(self, clock: Callable[[], float], **changes: object) -> ServerKeyList:
        arguments: dict[str, object] = {
            "listed": (),
            "file": self.listed,
            "shown": lambda: None,
            "complete": True,
            "monotonic": clock,
        }
        return ServerKeyList(**(arguments | changes))  # type: ignore[arg-type]  # as the test names them


@pytest.fixture
def files(tmp_path: Path) -> _Files:
    return _Files(tmp_path)


def test_the_next_key_counts_before_it_is_shown_and_the_previous_one_after(files: _Files) -> None:
    clock = _Clock()
    files.list(_A)
    keys = files.open(clock)
    assert keys.current.keys == {_A}
    assert keys.current.complete
    # The operator lists the next key, the load balancer switches to it, and the old key is removed.
    files.list(_A, _B)
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    files.list(_B)
    clock.time += 3600.0
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    clock.time += _DAY - 3600.0
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    clock.time += 60.0
    keys.refresh()
    assert keys.current.keys == {_B}


def test_the_listeners_own_key_counts_over_renewals(files: _Files) -> None:
    clock = _Clock()
    shown = [_A]
    keys = files.open(clock, file=None, shown=lambda: shown[-1])
    assert keys.current.keys == {_A}
    clock.time += 30 * _DAY
    keys.refresh()
    assert keys.current.keys == {_A}
    shown.append(_B)
    keys.refresh()
    assert keys.current.keys == {_A, _B}
    clock.time += _DAY + 1
    keys.refresh()
    assert keys.current.keys == {_B}


def test_keys_of_the_settings_count_always(files: _Files) -> None:
    clock = _Clock()
    files.list(_A)
    keys = files.open(clock, listed=(_C,), complete=False)
    clock.time += 3 * _DAY
    keys.refresh()
    assert keys.current.keys == {_A, _C}
    assert not keys.current.complete


@pytest.mark.parametrize("text", ["no key\n", f"{_B.hex()}\n{_B.hex()[:-1]}\n", "\xff"])
def test_a_damaged_file_is_reported_and_the_older_list_counts_on(files: _Files, text: str) -> None:
    clock = _Clock()
    files.list(_A)
    keys = files.open(clock)
    files.write(text)
    clock.time += 3 * _DAY
    with capture_logs() as logs:
        keys.refresh()
    assert [entry["event"] for entry in logs] == ["server_keys_unreadable"]
    assert keys.current.keys == {_A}
    files.listed.unlink()
    keys.refresh()
    assert keys.current.keys == {_A}
    files.list(_B)
    keys.refresh()
    assert keys.current.keys == {_A, _B}


def test_lines_of_sha256sum_and_comments_are_read(files: _Files) -> None:
    files.write(f"# load balancer\n\n{_A.hex()}  -\n{_B.hex().upper()} # from December on\n")
    assert files.open(_Clock()).current.keys == {_A, _B}


def test_an_unreadable_file_prevents_the_start(files: _Files) -> None:
    with pytest.raises(ConfigurationError):
        files.open(_Clock())
    files.write("no key")
    with pytest.raises(ConfigurationError):
        files.open(_Clock())
    files.write("#" * 70_000)
    with pytest.raises(ConfigurationError):
        files.open(_Clock())


def test_an_empty_list_is_not_complete(files: _Files) -> None:
    files.list()
    with pytest.raises(ConfigurationError):
        files.open(_Clock())
    assert files.open(_Clock(), complete=False).current.keys == frozenset()

"""Real folders with real links, pipes and devices in them."""

import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from server.trusted_images.errors import (
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TrustedImagesError,
)
from server.trusted_images.folder import ImageFolder

_INSIDE, _OUTSIDE = b"an image of the store", b"a file outside of the store"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "x.jpg").write_bytes(_OUTSIDE)
    return folder


@pytest.fixture
def store(tmp_path: Path, outside: Path) -> Path:
    folder = tmp_path / "store"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "x.jpg").write_bytes(_INSIDE)
    (folder / "a" / "b" / "x.jpg").write_bytes(_INSIDE)
    return folder


def _read(store: Path, reference: str, max_bytes: int = 2_000_000) -> bytes:
    return ImageFolder(store).read(tuple(reference.split("/")), max_bytes)


def _handles() -> set[str]:
    # Handles of other tests may be closed in the background, but none may be opened.
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of this process, at this moment


@pytest.mark.parametrize("reference", ["x.jpg", "a/b/x.jpg"])
def test_a_file_is_read(store: Path, reference: str) -> None:
    assert _read(store, reference) == _INSIDE


def test_names_are_bytes_of_utf_8(store: Path) -> None:
    (store / "é").mkdir()
    (store / "é" / "日本 (2).jpg").write_bytes(_INSIDE)
    assert _read(store, "é/日本 (2).jpg") == _INSIDE
    with pytest.raises(ReferenceNotFound):
        _read(store, "e\u0301/日本 (2).jpg")


def test_an_empty_file_is_an_empty_image(store: Path) -> None:
    (store / "empty").touch()
    assert _read(store, "empty") == b""


@pytest.mark.parametrize("reference", ["none.jpg", "none/x.jpg", "a/none/x.jpg", "x.jpg/x.jpg", "a/b/none"])
def test_nothing_there_is_not_found(store: Path, reference: str) -> None:
    with pytest.raises(ReferenceNotFound):
        _read(store, reference)


_LINKS = {
    "a/x.jpg": ("a/x.jpg", "../../outside/x.jpg"),
    "folder/x.jpg": ("folder", "../outside"),
    "a/up/outside/x.jpg": ("a/up", "../.."),
    "absolute.jpg": ("absolute.jpg", "{outside}/x.jpg"),
    "inside.jpg": ("inside.jpg", "x.jpg"),
    "a/round/b/x.jpg": ("a/round", "."),
    "loop": ("loop", "loop"),
    "dangling": ("dangling", "nowhere"),
    "root/etc/hostname": ("root", "/"),
    "self/environ": ("self", "/proc/self"),
}
"""References, and the links that would have to be followed."""


@pytest.mark.parametrize("reference", _LINKS)
def test_links_are_refused_wherever_they_lead(store: Path, outside: Path, reference: str) -> None:
    place, target = _LINKS[reference]
    (store / place).symlink_to(target.format(outside=outside))
    before = _handles()
    with pytest.raises(ReferenceInvalid, match="contains a link"):
        _read(store, reference)
    assert _handles() <= before


def test_hard_links_are_refused(store: Path, outside: Path) -> None:
    (store / "hard.jpg").hardlink_to(outside / "x.jpg")
    with pytest.raises(ReferenceInvalid, match="hard link"):
        _read(store, "hard.jpg")
    (outside / "x.jpg").unlink()
    assert _read(store, "hard.jpg") == _OUTSIDE


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # The path of a socket may have 108 bytes only.
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def _device(path: Path) -> None:
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root may make devices")


@pytest.mark.parametrize(
    "make", [_pipe, _socket, _device, Path.mkdir], ids=["pipe", "socket", "device", "folder"]
)
def test_anything_but_a_regular_file_is_refused_at_once(store: Path, make: Callable[[Path], None]) -> None:
    make(store / "thing")
    with pytest.raises(ReferenceInvalid, match="not a regular file"):
        _read(store, "thing")
    with pytest.raises(TrustedImagesError):
        _read(store, "thing/x")


def test_a_size_over_the_limit_is_reported_without_reading(store: Path) -> None:
    with (store / "big").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ReferencedImageTooLarge) as caught:
        _read(store, "big")
    assert (caught.value.size, caught.value.limit) == (1 << 40, 2_000_000)
    (store / "most").write_bytes(bytes(2_000_000))
    assert len(_read(store, "most")) == 2_000_000


def test_a_file_that_grows_is_read_to_one_byte_above_the_limit(store: Path) -> None:
    # The files of /proc report a size of zero bytes.
    with pytest.raises(ReferencedImageTooLarge) as caught:
        _read(Path("/proc"), "meminfo", max_bytes=100)
    assert caught.value.size == 101


def test_a_store_that_went_away_is_unavailable_rather_than_empty(store: Path) -> None:
    folder = ImageFolder(store)
    shutil.rmtree(store)
    with pytest.raises(StoreUnavailable) as caught:
        folder.read(("x.jpg",), 100)
    assert caught.value.cause == "ENOENT"


def test_a_folder_that_may_not_be_read_is_unavailable(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open

    def deny(path: Any, *args: Any, **kwargs: Any) -> int:
        if path == b"a":
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(StoreUnavailable) as caught:
        _read(store, "a/b/x.jpg")
    assert caught.value.cause == "EACCES"


def test_the_way_to_the_store_may_be_a_link(store: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(store)
    assert _read(tmp_path / "mounted", "a/b/x.jpg") == _INSIDE


@pytest.mark.parametrize(
    ("name", "put"),
    [
        (b"x.jpg", lambda path, outside: path.symlink_to(outside / "x.jpg")),
        (b"b", lambda path, outside: path.symlink_to(outside)),
        (b"x.jpg", lambda path, _: os.mkfifo(path)),
        (b"x.jpg", lambda path, outside: path.hardlink_to(outside / "x.jpg")),
    ],
    ids=["link", "folder link", "pipe", "hard link"],
)
def test_a_file_replaced_after_the_test_is_refused(
    store: Path,
    outside: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: bytes,
    put: Callable[[Path, Path], None],
) -> None:
    real = os.stat
    exchanged: list[bytes] = []

    def look(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        status = real(path, *args, **kwargs)
        if path == name and not exchanged:
            place = store / "a" / "b" / "x.jpg" if name == b"x.jpg" else store / "a" / "b"
            place.rename(store / "moved")
            put(place, outside)
            exchanged.append(path)
        return status

    monkeypatch.setattr(os, "stat", look)
    with pytest.raises((ReferenceInvalid, ReferenceNotFound)):
        _read(store, "a/b/x.jpg")
    assert exchanged


@pytest.mark.parametrize("place", ["a", "a/b", "a/b/x.jpg"])
def test_no_race_leads_out_of_the_store(store: Path, outside: Path, place: str) -> None:
    (outside / "b").mkdir()
    (outside / "b" / "x.jpg").write_bytes(_OUTSIDE)
    link, kept, way = store / "link", store / "kept", store / place
    link.symlink_to({"a": outside, "a/b": outside, "a/b/x.jpg": outside / "x.jpg"}[place])
    stop = threading.Event()

    def exchange() -> None:
        while not stop.is_set():
            way.rename(kept)
            link.rename(way)
            way.rename(link)
            kept.rename(way)

    changer = threading.Thread(target=exchange)
    changer.start()
    found, refused, before = 0, 0, _handles()
    until = time.monotonic() + 30
    try:
        # On a busy machine one of the two threads may get nothing to do for a while.
        while (found < 300 or refused < 300) and time.monotonic() < until:
            try:
                assert _read(store, "a/b/x.jpg") == _INSIDE
                found += 1
            except (ReferenceInvalid, ReferenceNotFound):
                refused += 1
    finally:
        stop.set()
        changer.join()
    assert min(found, refused) >= 300
    assert _handles() <= before


def test_deep_references_hold_one_folder_open(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["d"] * 255
    place = store
    for name in names:
        place = place / name
        place.mkdir()
    (place / "x").write_bytes(_INSIDE)
    most = 0
    real = os.open

    def counted(*args: Any, **kwargs: Any) -> int:
        nonlocal most
        handle = real(*args, **kwargs)
        most = max(most, handle)
        return handle

    before = max(int(name) for name in _handles())
    monkeypatch.setattr(os, "open", counted)
    assert _read(store, "/".join([*names, "x"])) == _INSIDE
    assert most <= before + 2

"""Trusted images: references to them, their stores, and the settings."""

import asyncio
import os
import posixpath
import shutil
import socket
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import obstore
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore.store import S3Store
from pydantic import ValidationError

from server.base.errors import ConfigurationError
from server.trusted_images.fetching import (
    MAX_REFERENCE_BYTES,
    TrustedImages,
    open_trusted_images,
    parse_reference,
    require_tenancy,
)
from server.trusted_images.settings import (
    BucketSource,
    FolderSource,
    S3Settings,
    TrustedImageSettings,
    parse_source,
    tenant_segment,
)
from server.trusted_images.stores import (
    CredentialsUnusable,
    ImageBucket,
    ImageFolder,
    ReferencedImageTooLarge,
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TenantHasNoImages,
    TrustedImagesError,
    read_credentials,
)
from tests.ports import held_port
from tests.server.object_stores import S3, running_s3


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("4711.jpg", ("4711.jpg",)),
        ("2031/05/4711.jpg", ("2031", "05", "4711.jpg")),
        ("a..b/c.", ("a..b", "c.")),
        ("Müller, Anna (2).jp2", ("Müller, Anna (2).jp2",)),
        ("Mu\u0308ller", ("Mu\u0308ller",)),
        ("日本/顔写真", ("日本", "顔写真")),
        ("~user/[x]{y}#1;$&'!=@^+,-_", ("~user", "[x]{y}#1;$&'!=@^+,-_")),
        ("x" * 255, ("x" * 255,)),
        ("/".join(["x"] * 256), ("x",) * 256),
    ],
)
def test_plain_paths_are_taken_as_they_are(text: str, segments: tuple[str, ...]) -> None:
    assert parse_reference(text) == segments


INVALID = {
    "nothing": ("", "is empty"),
    "parent": ("../x", "begins with a dot"),
    "parent in the middle": ("a/../../x", "begins with a dot"),
    "parent at the end": ("a/..", "begins with a dot"),
    "this folder in the middle": ("a/./b", "begins with a dot"),
    "hidden": (".snapshot/daily/x.jpg", "begins with a dot"),
    "absolute": ("/etc/passwd", "begins with a slash"),
    "empty segment": ("a//b", "empty segment"),
    "file URL": ("file:///etc/passwd", "is a URL"),
    "https URL": ("https://169.254.169.254/latest/meta-data", "is a URL"),
    "backslashes": ("..\\..\\x", "begins with a dot"),
    "backslash inside": ("a\\..\\x", "not allowed"),
    "encoded dots": ("%2e%2e/x", "not allowed"),
    "leading space": (" /x", "space"),
    "trailing space": ("a /x", "space"),
    "space and dots": ("a/.. /x", "begins with a dot"),
    "lone surrogate": ("x\ud800", "not valid Unicode"),
    "long": ("x/" * 256 + "x", "has 513 bytes"),
    "long in UTF-8 only": ("é" * 200 + "/" + "é" * 57, "has 515 bytes"),
    "long segment": ("x" * 256, "more than 255 bytes"),
    "long segment in UTF-8 only": ("é" * 128, "more than 255 bytes"),
}


@pytest.mark.parametrize("case", INVALID)
def test_ambiguous_references_are_refused(case: str) -> None:
    text, problem = INVALID[case]
    with pytest.raises(ReferenceInvalid) as caught:
        parse_reference(text)
    assert problem in caught.value.problem
    # No message repeats the reference.
    assert len(text) < 4 or text not in str(caught.value)


@pytest.mark.parametrize(
    "characters",
    [
        ':?*|`"<>\\%',
        "\0\n\t\x7f\x85",
        # Dots, slashes, backslashes and per cent signs of other forms, and what becomes them.
        "\uff0e\uff0f\uff3c\uff05\u2024\u2025\u2026\u2044\u2215\u2100\u2488\u00bd",
        # Nothing to see, blanks, and what has no meaning.
        "\u202e\u200b\ufeff\u00a0\u2028\u00ad\ue000\u0378\U000e002e\U0001f600",
    ],
)
def test_characters_that_some_program_takes_for_others_are_refused(characters: str) -> None:
    for character in characters:
        with pytest.raises(ReferenceInvalid) as caught:
            parse_reference(f"a{character}x")
        assert "not allowed" in caught.value.problem


_TRICKY = st.sampled_from(
    ["..", ".", "/", "\\", "%2e", "%2F", "\0", "a", "\uff0e", "\u2025", "\uff0f", ":", " "]
)


@given(st.one_of(st.text(max_size=40), st.lists(_TRICKY, max_size=8).map("".join)))
def test_accepted_references_stay_below_the_root(text: str) -> None:
    try:
        segments = parse_reference(text)
    except ReferenceInvalid:
        return
    assert "/".join(segments) == text
    assert 0 < len(text.encode()) <= MAX_REFERENCE_BYTES
    assert urlsplit(text).scheme == ""
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        read = unquote(unicodedata.normalize(form, text)).replace("\\", "/")
        below = posixpath.normpath(posixpath.join("/store", read))
        assert below.startswith("/store/")
        assert below.count("/") == 1 + len(segments)


def _opened(source: str) -> TrustedImages:
    images = open_trusted_images(TrustedImageSettings(source=source), readers=2)
    assert images is not None
    return images


async def _read(images: TrustedImages, reference: str, tenant: str = "default") -> bytes:
    return await images.read(reference, tenant=tenant, max_bytes=100)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("bank-a", "bank-b", "bank-a/now", "bank-b/now"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.jpg").write_bytes(name.encode())
    (tmp_path / "x.jpg").write_bytes(b"of nobody")
    return tmp_path


async def test_a_folder_is_read(folder: Path) -> None:
    for source in (str(folder), f"file://{folder}"):
        images = _opened(source)
        assert await _read(images, "x.jpg") == b"of nobody"
        images.close()


async def test_each_tenant_reads_its_own_folder_only(folder: Path) -> None:
    images = _opened(f"{folder}/{{tenant}}")
    assert await _read(images, "x.jpg", "bank-a") == b"bank-a"
    assert await _read(images, "x.jpg", "bank-b") == b"bank-b"
    for reference in ("../bank-b/x.jpg", "bank-b/x.jpg", "now/../../bank-b/x.jpg", "/bank-b/x.jpg"):
        with pytest.raises((ReferenceInvalid, ReferenceNotFound)):
            await _read(images, reference, "bank-a")
    with pytest.raises(ReferenceNotFound):
        await _read(images, "x.jpg", "bank-c")
    images.close()


async def test_a_tenants_folder_may_lie_deeper(folder: Path) -> None:
    images = _opened(f"{folder}/{{tenant}}/now")
    assert await _read(images, "x.jpg", "bank-b") == b"bank-b/now"
    images.close()


async def test_a_tenants_folder_is_no_link_to_anothers(folder: Path) -> None:
    (folder / "bank-c").symlink_to("bank-b")
    images = _opened(f"{folder}/{{tenant}}")
    with pytest.raises(ReferenceInvalid):
        await _read(images, "x.jpg", "bank-c")
    images.close()


@pytest.mark.parametrize("tenant", ["..", "bank-a/../bank-b"])
async def test_a_tenant_cannot_lead_elsewhere_by_its_name(folder: Path, tenant: str) -> None:
    images = _opened(f"{folder}/{{tenant}}")
    with pytest.raises(TenantHasNoImages):
        await _read(images, "x.jpg", tenant)
    images.close()


async def test_a_reference_is_no_place_for_a_tenants_name(folder: Path) -> None:
    (folder / "{tenant}").mkdir()
    (folder / "{tenant}" / "x.jpg").write_bytes(b"literally")
    images = _opened(str(folder))
    assert await _read(images, "{tenant}/x.jpg", "bank-a") == b"literally"
    images.close()


class _Stuck:
    """A store that hangs, as a network file system may."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.reads = 0

    def read(self, segments: tuple[str, ...], max_bytes: int) -> bytes:
        self.reads += 1
        self.released.wait(60)
        return "/".join(segments).encode()[:max_bytes]


async def test_a_hanging_store_times_out_and_delays_no_other() -> None:
    store = _Stuck()
    images = TrustedImages(store, below=(), readers=2, timeout_seconds=2.0)
    begun = time.monotonic()
    answers = await asyncio.gather(*(_read(images, "x.jpg") for _ in range(6)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert time.monotonic() - begun < 50
    assert store.reads == 2
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 60) == "free"
    store.released.set()
    assert await _read(images, "y.jpg") == b"y.jpg"
    images.close()


async def test_a_caller_that_leaves_is_not_waited_for() -> None:
    store = _Stuck()
    images = TrustedImages(store, below=(), readers=1, timeout_seconds=30)
    asking = asyncio.ensure_future(_read(images, "x.jpg"))
    await asyncio.sleep(0.05)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    images.close()
    store.released.set()


@pytest.mark.parametrize("name", ["none", "x.jpg"])
def test_a_missing_folder_prevents_the_start(folder: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"trusted_images\.source"):
        _opened(f"{folder}/{name}")
    with pytest.raises(ConfigurationError, match=r"trusted_images\.source"):
        _opened(f"{folder}/{name}/{{tenant}}")


def test_a_bucket_is_opened_without_asking_it(tmp_path: Path) -> None:
    _opened("s3://images/{tenant}").close()
    settings = {"source": "s3://images", "s3": {"credentials_file": tmp_path / "none"}}
    with pytest.raises(ConfigurationError, match="cannot be read"):
        open_trusted_images(TrustedImageSettings.model_validate(settings), readers=1)


@pytest.mark.parametrize(
    ("source", "shared", "tenants", "allowed"),
    [
        (None, False, {"a", "b"}, True),
        ("s3://bucket/{tenant}", False, {"a", "b"}, True),
        ("s3://bucket", False, {"a"}, True),
        ("s3://bucket", False, {"a", "b"}, False),
        ("/srv", False, {"a", "b"}, False),
        ("/srv", True, {"a", "b"}, True),
    ],
)
def test_tenants_share_images_only_where_that_is_meant(
    source: str | None, shared: bool, tenants: set[str], allowed: bool
) -> None:
    settings = TrustedImageSettings(source=source, shared_by_tenants=shared)
    if allowed:
        require_tenancy(settings, tenants=tenants)
    else:
        with pytest.raises(ConfigurationError, match="shared_by_tenants"):
            require_tenancy(settings, tenants=tenants)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/srv/portraits", FolderSource(Path("/srv/portraits"))),
        ("../portraits", FolderSource(Path("../portraits"))),
        ("file:///srv/a%20folder", FolderSource(Path("/srv/a folder"))),
        ("/srv/{tenant}", FolderSource(Path("/srv"), ("{tenant}",))),
        ("file:///srv/{tenant}/now", FolderSource(Path("/srv"), ("{tenant}", "now"))),
        ("/srv/x:/y", FolderSource(Path("/srv/x:/y"))),
        ("s3://bucket", BucketSource("bucket")),
        ("s3://bucket/a/b/", BucketSource("bucket", ("a", "b"))),
        ("s3://bucket/{tenant}/{tenant}", BucketSource("bucket", ("{tenant}", "{tenant}"))),
    ],
)
def test_a_source_is_a_folder_or_a_prefix(text: str, expected: FolderSource | BucketSource) -> None:
    assert parse_source(text) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a folder"),
        ("/srv/\0x", "expected a folder"),
        ("https://images.example/x", "https:// is not one of these"),
        ("gs://bucket/x", "gs:// is not one of these"),
        ("file://host/share", "three slashes"),
        ("s3:///x", "name of an S3 bucket"),
        ("s3://{tenant}/x", "name of an S3 bucket"),
        ("s3://me:hunter2@bucket/x", "without credentials"),
        ("s3://bucket/x?secret=hunter2", "without credentials"),
        ("s3://bucket/a/../b", "empty segment"),
        ("s3://bucket/a//b", "empty segment"),
        ("s3://bucket/of-{tenant}", "whole segment"),
        ("/srv/{tenant}.d", "whole segment"),
        ("/srv/{Tenant}", "lower case"),
        ("/srv/{tenant}/../x", "out of the tenant's folder"),
    ],
)
def test_another_source_is_refused_and_not_repeated(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*hunter2)") as caught:
        parse_source(text)
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["default", "Bank-1", "backend.bank.example", "a..b", "0", "x" * 64])
def test_a_tenants_name_can_be_a_folder(name: str) -> None:
    assert tenant_segment(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "..", ".", ".x", "a/b", "../b", "a b", "a\n", "ü", "%2e", "-x", "a\\b", "a\0", "x" * 65, "{tenant}"],
)
def test_a_name_that_leads_elsewhere_cannot(name: str) -> None:
    assert tenant_segment(name) is None


def test_settings_with_another_source_are_refused_without_repeating_it() -> None:
    with pytest.raises(ValidationError) as caught:
        TrustedImageSettings(source="s3://me:hunter2@bucket/x")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"endpoint": "https://minio.example/s3"},
        {"endpoint": "http://127.0.0.1:9000"},
        {"endpoint": "http://minio:9000", "allow_http": True},
    ],
)
def test_endpoints_of_s3(values: dict[str, object]) -> None:
    assert S3Settings.model_validate(values).model_dump(exclude_unset=True) == values


@pytest.mark.parametrize(
    ("endpoint", "said"),
    [
        ("http://minio:9000", "has no TLS"),
        ("ftp://minio", "not a URL"),
        ("https://me:hunter2@minio", "not a URL"),
        ("https://minio?key=hunter2", "not a URL"),
        ("https://[broken", "not a URL"),
    ],
)
def test_an_endpoint_is_a_url_with_tls(endpoint: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        S3Settings(endpoint=endpoint)
    assert "hunter2" not in str(caught.value)


# Real folders with real links, pipes and devices in them, and a real S3 process with invalid answers.

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


def _stores_read(store: Path, reference: str, max_bytes: int = 2_000_000) -> bytes:
    return ImageFolder(store).read(tuple(reference.split("/")), max_bytes)


def _handles() -> set[str]:
    # Handles of other tests may be closed in the background, but none may be opened.
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - of this process, at this moment


def test_names_are_bytes_of_utf_8(store: Path) -> None:
    (store / "é").mkdir()
    (store / "é" / "日本 (2).jpg").write_bytes(_INSIDE)
    assert _stores_read(store, "é/日本 (2).jpg") == _INSIDE
    with pytest.raises(ReferenceNotFound):
        _stores_read(store, "e\u0301/日本 (2).jpg")


@pytest.mark.parametrize("reference", ["none.jpg", "none/x.jpg", "a/none/x.jpg", "x.jpg/x.jpg", "a/b/none"])
def test_nothing_there_is_not_found(store: Path, reference: str) -> None:
    with pytest.raises(ReferenceNotFound):
        _stores_read(store, reference)


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
        _stores_read(store, reference)
    assert _handles() <= before


def test_hard_links_are_refused(store: Path, outside: Path) -> None:
    (store / "hard.jpg").hardlink_to(outside / "x.jpg")
    with pytest.raises(ReferenceInvalid, match="hard link"):
        _stores_read(store, "hard.jpg")
    (outside / "x.jpg").unlink()
    assert _stores_read(store, "hard.jpg") == _OUTSIDE


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


@pytest.mark.parametrize("make", [_pipe, _socket, Path.mkdir], ids=["pipe", "socket", "folder"])
def test_anything_but_a_regular_file_is_refused_at_once(store: Path, make: Callable[[Path], None]) -> None:
    make(store / "thing")
    with pytest.raises(ReferenceInvalid, match="not a regular file"):
        _stores_read(store, "thing")
    with pytest.raises(TrustedImagesError):
        _stores_read(store, "thing/x")


def test_a_size_over_the_limit_is_reported_without_reading(store: Path) -> None:
    with (store / "big").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ReferencedImageTooLarge) as caught:
        _stores_read(store, "big")
    assert (caught.value.size, caught.value.limit) == (1 << 40, 2_000_000)
    (store / "most").write_bytes(bytes(2_000_000))
    assert len(_stores_read(store, "most")) == 2_000_000


def test_a_file_that_grows_is_read_to_one_byte_above_the_limit(store: Path) -> None:
    # The files of /proc report a size of zero bytes.
    with pytest.raises(ReferencedImageTooLarge) as caught:
        _stores_read(Path("/proc"), "meminfo", max_bytes=100)
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
        _stores_read(store, "a/b/x.jpg")
    assert caught.value.cause == "EACCES"


def test_the_way_to_the_store_may_be_a_link(store: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(store)
    assert _stores_read(tmp_path / "mounted", "a/b/x.jpg") == _INSIDE


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
        _stores_read(store, "a/b/x.jpg")
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
    until = time.monotonic() + 90
    try:
        # On a busy machine one of the two threads may get nothing to do for a while.
        while (found < 300 or refused < 300) and time.monotonic() < until:
            try:
                assert _stores_read(store, "a/b/x.jpg") == _INSIDE
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
    assert _stores_read(store, "/".join([*names, "x"])) == _INSIDE
    assert most <= before + 2


_CREDENTIALS = {"access_key_id": "facegate", "secret_access_key": "not-a-secret"}


def _bucket(endpoint: str | None, *, bucket: str = "images", timeout_seconds: float = 60.0) -> ImageBucket:
    return ImageBucket(
        bucket,
        endpoint=endpoint,
        region="eu-central-1",
        credentials=_CREDENTIALS,
        timeout_seconds=timeout_seconds,
    )


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as s3:
        yield s3


@pytest.fixture(scope="module")
def stored(s3: S3) -> S3Store:
    store = s3.make_bucket("images")
    for key in ("secret.jpg", "a/b/x.jpg", "a/b/é (2)+#[1]{2}~^.jpg", "a/b/日本/x", "a/b/e\u0301"):
        obstore.put(store, key, key.encode())
    obstore.put(store, "a/b/empty", b"")
    obstore.put(store, "a/b/most", bytes(2_000_000))
    obstore.put(store, "a/b/more", bytes(2_000_001))
    return store


@pytest.mark.slow
@pytest.mark.usefixtures("stored")
class TestRealS3:
    @pytest.mark.parametrize("name", ["x.jpg", "é (2)+#[1]{2}~^.jpg", "日本/x", "e\u0301"])
    def test_an_object_is_read_under_exactly_its_name(self, s3: S3, name: str) -> None:
        key = f"a/b/{name}"
        assert _bucket(s3.endpoint).read(tuple(key.split("/")), 2_000_000) == key.encode()

    def test_limits_are_those_of_the_bytes(self, s3: S3) -> None:
        bucket = _bucket(s3.endpoint)
        assert bucket.read(("a", "b", "empty"), 2_000_000) == b""
        assert len(bucket.read(("a", "b", "most"), 2_000_000)) == 2_000_000
        with pytest.raises(ReferencedImageTooLarge) as caught:
            bucket.read(("a", "b", "more"), 2_000_000)
        assert (caught.value.size, caught.value.limit) == (2_000_001, 2_000_000)

    @pytest.mark.parametrize("segments", [("a", "b", "none"), ("a", "b"), ("x.jpg",), ("a", "b", "X.JPG")])
    def test_a_missing_object_is_not_found(self, s3: S3, segments: tuple[str, ...]) -> None:
        with pytest.raises(ReferenceNotFound):
            _bucket(s3.endpoint).read(segments, 2_000_000)

    def test_a_bucket_that_is_not_there_is_the_operators_mistake(self, s3: S3) -> None:
        with pytest.raises(StoreUnavailable) as caught:
            _bucket(s3.endpoint, bucket="no-such-bucket").read(("x",), 2_000_000)
        assert caught.value.cause == "NoSuchBucket"

    def test_the_environment_can_set_the_endpoint(self, s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        bucket = ImageBucket("images", endpoint=None, region=None, credentials={}, timeout_seconds=60)
        assert bucket.read(("a", "b", "x.jpg"), 2_000_000) == b"a/b/x.jpg"


_Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def _answering(*answers: _Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers in turn, then the last one; yields its URL and its requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            answers[min(len(asked), len(answers)) - 1](self)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


def _says(status: int, body: bytes = b"", *, length: int | None = None) -> _Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        request.send_header("ETag", '"1"')
        request.end_headers()
        request.wfile.write(body)

    return answer


def _endless(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
    request.end_headers()
    for _ in range(1000):
        request.wfile.write(bytes(100_000))


def test_a_server_that_stumbles_is_asked_again() -> None:
    with _answering(_says(503), _says(500), _says(200, b"image")) as (endpoint, asked):
        assert _bucket(endpoint).read(("x",), 100) == b"image"
    assert asked == ["/images/x"] * 3


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        (_says(500), 4),
        (_says(403, b"<Error><Code>AccessDenied</Code></Error>"), 1),
        (_says(401), 1),
        (_says(400), 1),
        (_says(200, b"cut", length=50), None),
        (_endless, None),
    ],
    ids=["failing", "forbidden", "unauthenticated", "bad request", "cut off", "of no length"],
)
def test_a_server_that_does_not_answer_as_it_should_is_unavailable(
    answer: _Answer, tries: int | None
) -> None:
    with _answering(answer) as (endpoint, asked):
        with pytest.raises(StoreUnavailable) as caught:
            _bucket(endpoint, timeout_seconds=60 if tries else 3).read(("who", "is-this.jpg"), 100)
        assert tries is None or len(asked) == tries
    assert "is-this" not in str(caught.value)


def test_a_server_that_hangs_is_given_up() -> None:
    begun, over = time.monotonic(), threading.Event()

    def hangs(_: BaseHTTPRequestHandler) -> None:
        over.wait(60)

    with _answering(hangs) as (endpoint, _):
        try:
            with pytest.raises(StoreUnavailable):
                _bucket(endpoint, timeout_seconds=0.5).read(("x",), 100)
        finally:
            over.set()
    assert time.monotonic() - begun < 50


def test_a_body_over_the_limit_is_not_read() -> None:
    with (
        _answering(_says(200, b"begin", length=1 << 40)) as (endpoint, _),
        pytest.raises(ReferencedImageTooLarge) as caught,
    ):
        _bucket(endpoint).read(("x",), 100)
    assert caught.value.size == 1 << 40


def test_a_refused_connection_is_unavailable() -> None:
    with held_port() as port, pytest.raises(StoreUnavailable):
        _bucket(f"http://127.0.0.1:{port}", timeout_seconds=1).read(("x",), 100)


def test_plain_http_needs_the_operators_word(monkeypatch: pytest.MonkeyPatch) -> None:
    with _answering(_says(200, b"image")) as (endpoint, asked):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        monkeypatch.delenv("AWS_ALLOW_HTTP", raising=False)
        with pytest.raises(StoreUnavailable):
            _bucket(None, timeout_seconds=2).read(("x",), 100)
        assert asked == []
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        assert _bucket(None).read(("x",), 100) == b"image"


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "s3.toml"
    path.write_bytes(content)
    path.chmod(mode)
    return path


_GOOD = b'access_key_id = "AKIA1"\nsecret_access_key = "hunter2"\n'


def test_credentials_are_read(tmp_path: Path) -> None:
    expected = {"access_key_id": "AKIA1", "secret_access_key": "hunter2"}
    assert read_credentials(_file(tmp_path, _GOOD)) == expected
    temporary = read_credentials(_file(tmp_path, _GOOD + b'session_token = "t"\n'))
    assert temporary == expected | {"session_token": "t"}


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (_GOOD, 0o644, "chmod 600"),
        (b"", 0o600, "expected the texts"),
        (b'access_key_id = "a"\nsecret_access_key = ""', 0o600, "expected the texts"),
        (_GOOD + b'region = "x"', 0o600, "and nothing else"),
        (b"secret_access_key = hunter2", 0o600, "not TOML"),
        (b"\xff\xfehunter2", 0o600, "not TOML"),
        (b"#" * 20_000, 0o600, "more than 16384 bytes"),
    ],
)
def test_an_unusable_file_is_reported_without_its_contents(
    tmp_path: Path, content: bytes, mode: int, said: str
) -> None:
    with pytest.raises(CredentialsUnusable) as caught:
        read_credentials(_file(tmp_path, content, mode))
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)

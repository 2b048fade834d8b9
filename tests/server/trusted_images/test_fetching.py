import asyncio
import posixpath
import threading
import time
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.base.errors import ConfigurationError
from server.trusted_images.fetching import (
    MAX_REFERENCE_BYTES,
    TrustedImages,
    open_trusted_images,
    parse_reference,
    require_tenancy,
)
from server.trusted_images.settings import TrustedImageSettings
from server.trusted_images.stores import (
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TenantHasNoImages,
)


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
    "the folder itself": (".", "begins with a dot"),
    "this folder in the middle": ("a/./b", "begins with a dot"),
    "three dots": (".../x", "begins with a dot"),
    "hidden": (".snapshot/daily/x.jpg", "begins with a dot"),
    "absolute": ("/etc/passwd", "begins with a slash"),
    "absolute with a host": ("//host/share", "begins with a slash"),
    "empty segment": ("a//b", "empty segment"),
    "folder": ("a/b/", "empty segment"),
    "file URL": ("file:///etc/passwd", "is a URL"),
    "https URL": ("https://169.254.169.254/latest/meta-data", "is a URL"),
    "S3 URL": ("s3://other-bucket/x", "is a URL"),
    "URL of one slash": ("file:/etc/passwd", "not allowed"),
    "drive": ("C:x", "not allowed"),
    "stream of a file": ("x.jpg:secret", "not allowed"),
    "backslashes": ("..\\..\\x", "begins with a dot"),
    "backslash inside": ("a\\..\\x", "not allowed"),
    "encoded dots": ("%2e%2e/x", "not allowed"),
    "encoded slash": ("a%2f..%2fx", "not allowed"),
    "twice encoded": ("%252e%252e%252fx", "not allowed"),
    "overlong encoding, as text": ("%c0%ae%c0%ae/x", "not allowed"),
    "NUL": ("x.jpg\0.png", "not allowed"),
    "new line": ("x\ny", "not allowed"),
    "tabulator": ("x\ty", "not allowed"),
    "delete": ("x\x7fy", "not allowed"),
    "C1 control": ("x\x85y", "not allowed"),
    "query": ("x?versionId=1", "not allowed"),
    "asterisk": ("*.jpg", "not allowed"),
    "pipe": ("|id", "not allowed"),
    "shell": ("`id`", "not allowed"),
    "quotes": ('"x"', "not allowed"),
    "angles": ("<x>", "not allowed"),
    "leading space": (" /x", "space"),
    "trailing space": ("a /x", "space"),
    "space and dots": ("a/.. /x", "begins with a dot"),
    "full-width dots": ("\uff0e\uff0e/x", "not allowed"),
    "full-width slash": ("a\uff0f..\uff0fx", "not allowed"),
    "full-width backslash": ("a\uff3cx", "not allowed"),
    "full-width percent": ("\uff052e", "not allowed"),
    "two-dot leader": ("\u2025/x", "not allowed"),
    "one-dot leaders": ("\u2024\u2024/x", "not allowed"),
    "ellipsis": ("\u2026/x", "not allowed"),
    "number with a full stop": ("\u2488/x", "not allowed"),
    "account of": ("\u2100", "not allowed"),
    "fraction slash": ("a\u2044x", "not allowed"),
    "division slash": ("a\u2215x", "not allowed"),
    "one half": ("\u00bd", "not allowed"),
    "right-to-left override": ("x\u202egpj", "not allowed"),
    "zero-width space": ("x\u200b", "not allowed"),
    "byte-order mark": ("\ufeffx", "not allowed"),
    "no-break space": ("a\u00a0b", "not allowed"),
    "line separator": ("a\u2028b", "not allowed"),
    "soft hyphen": ("a\u00adb", "not allowed"),
    "private use": ("\ue000", "not allowed"),
    "unassigned": ("\u0378", "not allowed"),
    "tag characters": ("x\U000e002e\U000e002e", "not allowed"),
    "emoji": ("\U0001f600", "not allowed"),
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


@pytest.mark.parametrize("case", [case for case, (text, _) in INVALID.items() if len(text) > 3])
def test_no_message_repeats_the_reference(case: str) -> None:
    text, _ = INVALID[case]
    with pytest.raises(ReferenceInvalid) as caught:
        parse_reference(text)
    assert text not in str(caught.value)


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


@given(
    st.lists(
        st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=20), min_size=1
    )
)
def test_letters_and_digits_are_always_accepted(names: list[str]) -> None:
    text = "/".join(names)
    if len(text) <= MAX_REFERENCE_BYTES:
        assert parse_reference(text) == tuple(names)


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


def test_without_a_source_nothing_is_opened() -> None:
    assert open_trusted_images(TrustedImageSettings(), readers=1) is None


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


@pytest.mark.parametrize(
    "tenant", ["..", ".", "", "bank-a/../bank-b", "bank-b/now", "%2e%2e", "{tenant}", "a b"]
)
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
        self.released.wait(30)
        return "/".join(segments).encode()[:max_bytes]


async def test_a_hanging_store_times_out_and_delays_no_other() -> None:
    store = _Stuck()
    images = TrustedImages(store, below=(), readers=2, timeout_seconds=0.2)
    begun = time.monotonic()
    answers = await asyncio.gather(*(_read(images, "x.jpg") for _ in range(6)), return_exceptions=True)
    assert all(isinstance(answer, StoreUnavailable) for answer in answers)
    assert time.monotonic() - begun < 20
    assert store.reads == 2
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 20) == "free"
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
        ("/srv/{tenant}/x", False, {"a", "b"}, True),
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

import asyncio
import threading
import time
from pathlib import Path

import pytest

from server.errors import ConfigurationError
from server.trusted_images.errors import (
    ReferenceInvalid,
    ReferenceNotFound,
    StoreUnavailable,
    TenantHasNoImages,
)
from server.trusted_images.fetching import TrustedImages, open_trusted_images, require_tenancy
from server.trusted_images.settings import TrustedImageSettings


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

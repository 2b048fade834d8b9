"""UploadTrustedImage by reference with a real server: two tenants, each with a separate folder."""

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
import pytest_asyncio
from facegate.v1 import verification_service_pb2 as service_pb2

from server.access.api_keys import new_api_key
from server.base.errors import ConfigurationError
from server.configuration.settings import LogLevel, LogSettings
from server.running.app import FacegateServer
from server.telemetry.logging import configure_logging
from tests.logs import log_plainly
from tests.server.live import FAST, LiveServer, portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.refusals import Refused, refused

_C = grpc.StatusCode


@dataclass(frozen=True, slots=True)
class Scene:
    """A server, its store of trusted images, and the keys of its two tenants."""

    live: LiveServer
    images: Path
    keys: dict[str, str]

    async def upload(self, reference: str, *, tenant: str = "one", **fields: Any) -> Any:
        request = service_pb2.UploadTrustedImageRequest(image_reference=reference, **fields)
        return await self.call(request, tenant)

    async def call(self, request: service_pb2.UploadTrustedImageRequest, tenant: str = "one") -> Any:
        metadata = (("authorization", f"Bearer {self.keys[tenant]}"),)
        return await self.live.service.UploadTrustedImage(request, metadata=metadata)

    async def refusal(self, reference: str, **fields: Any) -> Refused:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.upload(reference, **fields)
        return refused(caught.value)

    async def metrics(self) -> str:
        url = f"http://127.0.0.1:{self.live.server.admin_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.text()


def _settings(folder: Path, tenants: tuple[str, ...], source: str) -> tuple[Any, dict[str, str]]:
    keys = {tenant: new_api_key() for tenant in tenants}
    file = folder / "keys.toml"
    file.touch(0o600)
    file.write_text(
        "\n".join(
            f'[[key]]\nname = "{tenant}"\nsha256 = "{digest}"\ntenant = "{tenant}"\nroles = ["orchestrator"]'
            for tenant, (_, digest) in keys.items()
        )
    )
    listeners = {"device": {"port": 0}, "service": {"port": 0, "api_keys_file": file}, "admin": {"port": 0}}
    settings = settings_for(
        folder, listeners=listeners, trusted_images={"source": source, "timeout_seconds": 5}
    )
    return settings, {tenant: key for tenant, (key, _) in keys.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    folder = tmp_path_factory.mktemp("references")
    images = folder / "images"
    (images / "one" / "2031").mkdir(parents=True)
    (images / "two").mkdir()
    (images / "one" / "2031" / "anna.jpg").write_bytes(portrait())
    (images / "two" / "bert.jpg").write_bytes(portrait())
    (images / "one" / "notes.txt").write_text("no picture at all\n" * 20)
    (images / "one" / "empty.jpg").touch()
    (images / "one" / "large.jpg").write_bytes(portrait().ljust(2_000_001, b"\0"))
    (images / "one" / "link.jpg").symlink_to(images / "two" / "bert.jpg")
    (images / "one" / "friend").symlink_to(images / "two")
    (folder / "elsewhere.jpg").write_bytes(portrait())
    (images / "one" / "hard.jpg").hardlink_to(folder / "elsewhere.jpg")
    settings, keys = _settings(folder, ("one", "two"), f"{images}/{{tenant}}")
    async with serving(settings) as live:
        yield Scene(live, images, keys)


async def test_a_reference_is_resolved_to_its_bytes(scene: Scene) -> None:
    by_reference = await scene.upload("2031/anna.jpg")
    by_bytes = await scene.call(service_pb2.UploadTrustedImageRequest(image=portrait()))
    assert by_reference.portrait == by_bytes.portrait
    assert by_reference.check_id != by_bytes.check_id
    record = await scene.live.record(by_reference.check_id)
    assert record.tenant == "one"
    assert "anna" not in repr(record)


REFUSALS: dict[str, tuple[str, grpc.StatusCode, str]] = {
    "nothing there": ("2031/carla.jpg", _C.NOT_FOUND, "IMAGE_REFERENCE_NOT_FOUND"),
    "a folder": ("2031", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "nothing at all": ("", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "too long": ("x" * 513, _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "another tenant's": ("../two/bert.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "the way round": ("2031/../../two/bert.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "encoded": ("%2e%2e/two/bert.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "full width": ("\uff0e\uff0e/two/bert.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "absolute": ("/etc/passwd", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "a URL": ("https://127.0.0.1/x.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "NUL": ("2031/anna.jpg\0", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "a link": ("link.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "a hard link": ("hard.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "over a link": ("friend/bert.jpg", _C.INVALID_ARGUMENT, "IMAGE_REFERENCE_INVALID"),
    "text": ("notes.txt", _C.INVALID_ARGUMENT, "IMAGE_FORMAT_NOT_SUPPORTED"),
    "empty": ("empty.jpg", _C.INVALID_ARGUMENT, "IMAGE_EMPTY"),
    "large": ("large.jpg", _C.INVALID_ARGUMENT, "IMAGE_TOO_LARGE"),
}


@contextmanager
def _logged() -> Iterator[io.StringIO]:
    stream, handlers, level = io.StringIO(), logging.getLogger().handlers[:], logging.getLogger().level
    configure_logging(LogSettings(level=LogLevel.DEBUG), stream=stream)
    try:
        yield stream
    finally:
        log_plainly()
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)


@pytest.mark.parametrize("case", REFUSALS)
async def test_an_unusable_reference_is_refused_and_never_repeated(scene: Scene, case: str) -> None:
    reference, code, reason = REFUSALS[case]
    with _logged() as log:
        answer = await scene.refusal(reference)
    assert (answer.code, answer.reason) == (code, reason)
    output = " ".join([answer.message, *answer.metadata.values(), log.getvalue(), await scene.metrics()])
    assert f'facegate_trusted_images_refused_total{{reason="{reason}",sandbox="false"}}' in output
    for word in ("anna", "bert", "carla", "notes.txt", "xxxx", "passwd", "127.0.0.1/x"):
        assert word not in output


async def test_refused_references_leave_nothing_open(scene: Scene) -> None:
    await scene.refusal("2031/carla.jpg")
    before = scene.live.traces()
    for reference, _, _ in REFUSALS.values():
        await asyncio.gather(*(scene.refusal(reference) for _ in range(3)))
    await scene.live.settled(before)


async def test_a_large_image_is_refused_with_its_numbers(scene: Scene) -> None:
    answer = await scene.refusal("large.jpg")
    assert answer.metadata == {"bytes": "2000001", "maxBytes": "2000000"}


async def test_each_tenant_has_its_own_images(scene: Scene) -> None:
    assert (await scene.upload("bert.jpg", tenant="two")).check_id
    assert (await scene.refusal("bert.jpg")).reason == "IMAGE_REFERENCE_NOT_FOUND"
    assert (await scene.refusal("2031/anna.jpg", tenant="two")).reason == "IMAGE_REFERENCE_NOT_FOUND"


async def test_a_repeated_request_is_the_same_check_whatever_became_of_the_image(scene: Scene) -> None:
    image, request_id = scene.images / "one" / "soon-gone.jpg", str(uuid4())
    image.write_bytes(portrait())
    first = await scene.upload("soon-gone.jpg", request_id=request_id)
    image.write_bytes(b"something else")
    assert await scene.upload("soon-gone.jpg", request_id=request_id) == first
    image.unlink()
    assert await scene.upload("soon-gone.jpg", request_id=request_id) == first
    assert (await scene.refusal("soon-gone.jpg")).reason == "IMAGE_REFERENCE_NOT_FOUND"
    assert (await scene.refusal("2031/anna.jpg", request_id=request_id)).reason == "REQUEST_ID_REUSED"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await scene.call(service_pb2.UploadTrustedImageRequest(image=portrait(), request_id=request_id))
    assert refused(caught.value).reason == "REQUEST_ID_REUSED"


async def test_a_refused_reference_may_be_tried_again(scene: Scene) -> None:
    image, request_id = scene.images / "one" / "late.jpg", str(uuid4())
    assert (await scene.refusal("late.jpg", request_id=request_id)).reason == "IMAGE_REFERENCE_NOT_FOUND"
    image.write_bytes(portrait())
    assert (await scene.upload("late.jpg", request_id=request_id)).check_id


async def test_the_same_request_at_the_same_time_creates_one_check(scene: Scene) -> None:
    request_id = str(uuid4())
    answers = await asyncio.gather(*(scene.upload("2031/anna.jpg", request_id=request_id) for _ in range(4)))
    assert len({answer.check_id for answer in answers}) == 1


async def test_a_store_that_is_away_is_unavailable_and_comes_back(scene: Scene) -> None:
    away = scene.images.rename(scene.images.with_name("away"))
    with _logged() as log:
        answer = await scene.refusal("2031/anna.jpg")
    assert (answer.code, answer.reason) == (_C.UNAVAILABLE, "IMAGE_REFERENCE_UNAVAILABLE")
    assert answer.retry_seconds == 2
    assert '"cause": "ENOENT"' in log.getvalue()
    away.rename(scene.images)
    assert (await scene.upload("2031/anna.jpg")).check_id


async def test_tenants_must_not_share_a_store_by_mistake(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    settings, _ = _settings(tmp_path, ("one", "two"), str(tmp_path / "images"))
    server = FacegateServer(settings, pack=remembering_pack(), tuning=FAST)
    with pytest.raises(ConfigurationError, match=r"\{tenant\}"):
        await server.start()
    await server.stop()


async def test_a_missing_store_prevents_the_start(tmp_path: Path) -> None:
    settings, _ = _settings(tmp_path, ("one",), str(tmp_path / "images"))
    server = FacegateServer(settings, pack=remembering_pack(), tuning=FAST)
    with pytest.raises(ConfigurationError, match=r"trusted_images\.source.*No such file"):
        await server.start()
    await server.stop()

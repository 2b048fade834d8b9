"""JPEG 2000 portraits, which only a separate process decodes, through a whole server."""

import io
import os
import signal
from pathlib import Path

import grpc
import pytest
from facegate.v1 import verification_service_pb2 as service_pb2
from PIL import Image

from tests.server.live import LiveServer, portrait, serving, settings_for
from tests.server.refusals import Refused, refused
from vision.errors import DecoderUnavailable
from vision.isolation.pool import DecoderPool


def _jpeg2000(**options: object) -> bytes:
    stored = io.BytesIO()
    with Image.open(io.BytesIO(portrait())) as picture:
        picture.save(stored, format="JPEG2000", **options)
    return stored.getvalue()


async def _uploaded(live: LiveServer, image: bytes) -> service_pb2.UploadTrustedImageResponse:
    return await live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=image))


async def _upload_refused(live: LiveServer, image: bytes) -> Refused:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _uploaded(live, image)
    return refused(caught.value)


@pytest.mark.parametrize(("bare", "media_type"), [(False, "image/jp2"), (True, "image/j2c")])
async def test_a_jpeg2000_portrait_is_accepted(scene: LiveServer, bare: bool, media_type: str) -> None:
    before = set(scene.server.decoder_processes)
    upload = await _uploaded(scene, _jpeg2000(no_jp2=bare, quality_layers=[20], quality_mode="rates"))
    assert upload.portrait.media_type == media_type
    # The process that decoded it decodes nothing else.
    assert before - set(scene.server.decoder_processes)


async def test_a_broken_one_is_refused(scene: LiveServer) -> None:
    data = _jpeg2000()
    refusal = await _upload_refused(scene, data[: len(data) // 2])
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "IMAGE_MALFORMED")


async def test_webp_and_bmp_are_no_trusted_images(scene: LiveServer) -> None:
    for format_ in ("WEBP", "BMP"):
        stored = io.BytesIO()
        Image.new("RGB", (400, 400)).save(stored, format=format_)
        refusal = await _upload_refused(scene, stored.getvalue())
        assert refusal.reason == "IMAGE_FORMAT_NOT_SUPPORTED", format_


async def test_kill_9_of_the_decoder_between_two_uploads_does_no_harm(scene: LiveServer) -> None:
    await _uploaded(scene, _jpeg2000())
    for process in scene.server.decoder_processes:
        os.kill(process, signal.SIGKILL)
    assert (await _uploaded(scene, _jpeg2000())).check_id


async def test_no_free_decoder_means_later_and_not_never(
    scene: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object, **__: object) -> None:
        raise DecoderUnavailable("all are busy", retry_after=2.5)

    monkeypatch.setattr(DecoderPool, "decode_still", busy)
    refusal = await _upload_refused(scene, _jpeg2000())
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
    assert refusal.retry_seconds == 2.5


async def test_a_stopped_server_leaves_no_decoder(tmp_path: Path) -> None:
    async with serving(settings_for(tmp_path, isolation={"workers": 2})) as live:
        await _uploaded(live, _jpeg2000())
        processes = live.server.decoder_processes
        assert processes
    assert not any(_exists(process) for process in processes)


def _exists(process: int) -> bool:
    return Path(f"/proc/{process}").exists()

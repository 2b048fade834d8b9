"""A script that warps the trusted image itself, against a real server."""

import functools
from collections.abc import AsyncIterator
from uuid import uuid4

import cv2
import numpy as np
import pytest
import pytest_asyncio
from facegate.v1 import result_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from facegate_protocol.texts import VERDICTS
from liveness import VerdictReason
from simulator.attacks.warped_photo import bulge, warp_photo
from simulator.photos import builtin_image
from tests.packs import real_photo
from tests.server.live import LiveServer, Picture, serving, settings_for
from tests.server.raw_device import RawDevice
from vision.image import encode_jpeg

_WIDTH, _HEIGHT = 480, 510


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server whose callers create real checks."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"), sandbox=False)) as server:
        yield server


@functools.cache
def _portrait() -> bytes:
    return encode_jpeg(builtin_image("astronaut"), quality=90)


def _shown(seed: int) -> tuple[Picture, ...]:
    """The same photo, bent by a script."""
    photo = real_photo("astronaut")
    picture = np.asarray(cv2.resize(photo.pixels, (_WIDTH, _HEIGHT), interpolation=cv2.INTER_AREA), np.uint8)
    marks = photo.landmarks * np.float32(_WIDTH / photo.pixels.shape[1])
    x, y = marks.mean(axis=0).tolist()
    face = (x, y, float(np.ptp(marks[:, 0])))
    bent = bulge(picture, face, strength=0.03, seed=seed)
    frames = warp_photo(picture, face, bent, noise=1.5, rate=10, seconds=2.6, seed=seed)
    return tuple(
        Picture(encode_jpeg(f.pixels, quality=90), round(f.capture_time * 1e6), _WIDTH, _HEIGHT)
        for f in frames
    )


async def _scanned(live: LiveServer, *, document: bool) -> result_pb2.LivenessResult:
    upload = await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(
            image=_portrait(), policy="once", document_portrait=document, request_id=str(uuid4())
        )
    )
    stream = await RawDevice(live.device, upload).open()
    await stream.run_attempt(_shown(seed=int(document)))
    await stream.outcome()
    result = (await live.finish(upload.check_id)).result
    assert VERDICTS[VerdictReason.SHOWS_TRUSTED_IMAGE] in result.liveness.explanations
    assert result.status == result_pb2.CHECK_STATUS_FAILURE
    return result.liveness


async def test_the_portrait_of_a_document_that_a_script_sends_is_a_spoof(live: LiveServer) -> None:
    liveness = await _scanned(live, document=True)
    assert liveness.verdict == result_pb2.LIVENESS_VERDICT_SPOOF


async def test_a_portrait_that_is_not_declared_as_a_documents_is_a_doubt(live: LiveServer) -> None:
    liveness = await _scanned(live, document=False)
    assert liveness.verdict != result_pb2.LIVENESS_VERDICT_LIVE

"""Every hostile file through AnalyzeImage: a documented refusal or an answer, and nothing stored."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from facegate.v1 import analysis_service_pb2 as analysis_pb2

from formats.errors import ImageFault
from formats.image_format import ImageFormat
from formats.image_header import detect_format
from server.base.errors import Reason
from tests.hostile import face_files, record_files
from tests.hostile.face_files import AcceptedFace, RefusedFace
from tests.hostile.files import CASES, Case
from tests.hostile.refusals import assert_documented
from tests.hostile.storage import Storage
from tests.sampling import some_fast
from tests.server.live import LiveServer, portrait, serving, settings_for
from tests.server.refusals import Refused, refused

_FOR_TRUSTED_IMAGES = {ImageFormat.JP2, ImageFormat.J2K}
_REASON_OF = {
    ImageFault.EMPTY: Reason.IMAGE_EMPTY,
    ImageFault.UNSUPPORTED_FORMAT: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
    ImageFault.MALFORMED: Reason.IMAGE_MALFORMED,
    ImageFault.TOO_MANY_PIXELS: Reason.IMAGE_TOO_MANY_PIXELS,
    ImageFault.ANIMATED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(temporary: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    """A server for a whole module; at its end it still answers."""
    async with serving(settings_for(tmp_path_factory.mktemp("server"))) as server:
        yield server
        request = analysis_pb2.AnalyzeImageRequest(image=portrait())
        assert (await server.analysis.AnalyzeImage(request)).status == "success"


def _id(case: Case | RefusedFace | AcceptedFace) -> str:
    return case.name.replace(" ", "-").replace(",", "")


async def _analysed(live: LiveServer, data: bytes) -> analysis_pb2.AnalyzeImageResponse | Refused:
    request = analysis_pb2.AnalyzeImageRequest(image=data, mode=analysis_pb2.ANALYSIS_MODE_FULL)
    try:
        return await live.analysis.AnalyzeImage(request)
    except grpc.RpcError as error:
        answer = refused(error)
        assert_documented(answer)
        assert answer.metadata["code"] == "INVALID_REQUEST"
        return answer


@pytest.mark.parametrize(
    "case",
    some_fast(CASES, step=7),
    ids=_id,
)
async def test_a_picture_without_a_face_is_refused_or_has_none(
    live: LiveServer, storage: Storage, case: Case
) -> None:
    before = storage.kept()
    content = case.make()
    answer = await _analysed(live, content)
    if isinstance(answer, Refused):
        expected = {_REASON_OF.get(fault) for fault in case.faults}
        if detect_format(content) in _FOR_TRUSTED_IMAGES:
            expected = {Reason.IMAGE_FORMAT_NOT_SUPPORTED}
        elif ImageFault.TOO_MANY_PIXELS in case.faults:
            # A selfie may be larger than a trusted image, so more of its bytes are read first.
            expected |= {Reason.IMAGE_MALFORMED}
        assert Reason(answer.reason) in expected, answer
    else:
        assert answer.error.code == "NO_FACE_DETECTED", answer
    assert storage.kept() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "case", [*face_files.ACCEPTED, *record_files.ACCEPTED, *record_files.ACCEPTED_39794], ids=_id
)
async def test_an_odd_selfie_is_analysed_and_a_record_is_refused(
    live: LiveServer, storage: Storage, case: AcceptedFace
) -> None:
    before = storage.kept()
    answer = await _analysed(live, case.make())
    if isinstance(answer, Refused):
        assert answer.reason == Reason.IMAGE_FORMAT_NOT_SUPPORTED, answer
    else:
        assert answer.status == "success"
        assert len(answer.result.signals) == 8
    assert storage.kept() == before


async def test_other_modalities_and_malformed_files_are_refused(
    live: LiveServer, storage: Storage, assets: Path
) -> None:
    before = storage.kept()
    folder = assets / "data" / "iso"
    paths = [*sorted(folder.glob("usnistgov*")), *sorted(folder.glob("uclouvain*nonregression*"))]
    for path in paths[::5]:
        answer = await _analysed(live, path.read_bytes())
        assert isinstance(answer, Refused) or answer.status == "error", path.name
    assert storage.kept() == before

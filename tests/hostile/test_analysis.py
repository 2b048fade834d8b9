"""Every hostile file through AnalyzeImage: a documented refusal or an answer, and nothing kept."""

from pathlib import Path

import grpc
import pytest
from facegate.v1 import analysis_service_pb2 as analysis_pb2

from server.errors import Reason
from tests.hostile import face_files, record_files
from tests.hostile.face_files import AcceptedFace, RefusedFace
from tests.hostile.files import CASES, Case
from tests.hostile.refusals import assert_documented
from tests.hostile.storage import Storage
from tests.server.live import LiveServer, Refused, refused
from vision.errors import ImageFault

_REASON_OF = {
    ImageFault.EMPTY: Reason.IMAGE_EMPTY,
    ImageFault.UNSUPPORTED_FORMAT: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
    ImageFault.MALFORMED: Reason.IMAGE_MALFORMED,
    ImageFault.TOO_MANY_PIXELS: Reason.IMAGE_TOO_MANY_PIXELS,
    ImageFault.ANIMATED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
}


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


@pytest.mark.parametrize("case", CASES, ids=_id)
async def test_a_picture_without_a_face_is_refused_or_has_none(
    live: LiveServer, storage: Storage, case: Case
) -> None:
    before = storage.kept()
    answer = await _analysed(live, case.make())
    if isinstance(answer, Refused):
        expected = {_REASON_OF.get(fault) for fault in case.faults}
        # What only a limit of a trusted image forbids, and what only a trusted image may be.
        expected |= {Reason.IMAGE_FORMAT_NOT_SUPPORTED, Reason.IMAGE_TOO_MANY_PIXELS}
        assert Reason(answer.reason) in expected, answer
    else:
        assert answer.error.code == "NO_FACE_DETECTED", answer
    assert storage.kept() == before


@pytest.mark.parametrize("case", [*face_files.ACCEPTED, *record_files.ACCEPTED], ids=_id)
async def test_an_odd_selfie_is_answered_and_a_record_is_none(
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

"""Every hostile file through the public API: the documented refusal, and nothing stored."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

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
from tests.server.live import LiveServer
from tests.server.refusals import Refused, refused

_REASON_OF = {
    ImageFault.EMPTY: Reason.IMAGE_EMPTY,
    ImageFault.TOO_MANY_BYTES: Reason.IMAGE_TOO_LARGE,
    ImageFault.UNSUPPORTED_FORMAT: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
    ImageFault.MALFORMED: Reason.IMAGE_MALFORMED,
    ImageFault.TOO_MANY_PIXELS: Reason.IMAGE_TOO_MANY_PIXELS,
    ImageFault.TOO_SMALL: Reason.EYE_DISTANCE_TOO_SMALL,
    ImageFault.ANIMATED: Reason.IMAGE_FORMAT_NOT_SUPPORTED,
}
_OF_THE_IMAGE = frozenset(_REASON_OF.values()) | {
    Reason.FACE_NOT_FOUND,
    Reason.MULTIPLE_FACES,
    Reason.FACE_CUT_OFF,
    Reason.IMAGE_NOT_CONFORMANT,
    Reason.ISO_39794_NOT_SUPPORTED,
}

_NO_TRUSTED_IMAGES = {"webp", "bmp"}
"""Formats that other calls accept, but that are no trusted images by the contract."""


def _id(case: Case | RefusedFace | AcceptedFace) -> str:
    return case.name.replace(" ", "-").replace(",", "")


async def _refusal(live: LiveServer, **fields: Any) -> Refused:
    with pytest.raises(grpc.RpcError) as caught:
        await live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(**fields))
    answer = refused(caught.value)
    assert_documented(answer)
    return answer


async def _refused_without_a_trace(
    live: LiveServer, storage: Storage, data: bytes, reasons: frozenset[Reason]
) -> None:
    before = storage.kept()
    answer = await _refusal(live, image=data)
    assert Reason(answer.reason) in reasons, answer
    assert storage.kept() == before


@pytest.mark.parametrize("case", some_fast(CASES, step=3), ids=_id)
async def test_no_picture_without_a_face_becomes_a_check(
    live: LiveServer, storage: Storage, case: Case
) -> None:
    reasons = frozenset(_REASON_OF[fault] for fault in case.faults) or frozenset({Reason.FACE_NOT_FOUND})
    if case.name in _NO_TRUSTED_IMAGES:
        reasons = frozenset({Reason.IMAGE_FORMAT_NOT_SUPPORTED})
    await _refused_without_a_trace(live, storage, case.make(), reasons)


@pytest.mark.parametrize(
    "case", [*face_files.REFUSED, *record_files.REFUSED, *record_files.REFUSED_39794], ids=_id
)
async def test_a_portrait_that_cannot_serve_is_refused(
    live: LiveServer, storage: Storage, case: RefusedFace
) -> None:
    await _refused_without_a_trace(live, storage, case.make(), case.reasons)


@pytest.mark.parametrize(
    "case",
    some_fast([*face_files.ACCEPTED, *record_files.ACCEPTED, *record_files.ACCEPTED_39794], step=4),
    ids=_id,
)
async def test_an_odd_portrait_is_accepted_and_is_the_same_upright_picture(
    live: LiveServer, storage: Storage, case: AcceptedFace
) -> None:
    before = storage.kept()
    answer = await live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=case.make()))
    plain = await live.service.UploadTrustedImage(
        service_pb2.UploadTrustedImageRequest(image=face_files.turned(1))
    )
    height, width = face_files.person().shape[:2]
    assert (answer.portrait.width, answer.portrait.height) == (width, height)
    assert answer.portrait.media_type == case.media_type
    assert answer.portrait.eye_distance_px == pytest.approx(plain.portrait.eye_distance_px, rel=0.1)
    after = storage.kept()
    assert after.rows["checks"] == before.rows["checks"] + 2
    assert after.temporary == before.temporary


@pytest.mark.slow
async def test_other_modalities_and_malformed_files_are_refused(
    live: LiveServer, storage: Storage, assets: Path
) -> None:
    folder, seen = assets / "data" / "iso", 0
    before = storage.kept()
    for path in [*sorted(folder.glob("usnistgov*")), *sorted(folder.glob("uclouvain*nonregression*"))]:
        answer = await _refusal(live, image=path.read_bytes())
        assert Reason(answer.reason) in _OF_THE_IMAGE, path.name
        seen += 1
    assert seen > 20
    assert storage.kept() == before


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, Reason.IMAGE_EMPTY),
        ({"image": b""}, Reason.IMAGE_EMPTY),
        ({"image": b"x", "policy": "p" * 1_000_000}, Reason.POLICY_NOT_FOUND),
        ({"image": b"x", "policy": "\x00\n\u202e"}, Reason.POLICY_NOT_FOUND),
        ({"image": b"x", "mode": 99}, Reason.INVALID_FIELD),
        ({"image": b"x", "subject_reference": "s" * 10_000}, Reason.INVALID_FIELD),
        ({"image": b"x", "subject_reference": "a\x00b"}, Reason.INVALID_FIELD),
        ({"image": b"x", "consent_reference": "\x00"}, Reason.INVALID_FIELD),
        ({"image": b"x", "request_id": "7" * 1_000_000}, Reason.INVALID_FIELD),
        ({"image": b"x", "request_id": "no UUID"}, Reason.INVALID_FIELD),
        ({"image_reference": "../../etc/passwd"}, Reason.IMAGE_REFERENCE_NOT_CONFIGURED),
        ({"image_reference": "x" * 1_000_000}, Reason.IMAGE_REFERENCE_NOT_CONFIGURED),
    ],
    ids=range(12),
)
async def test_unexpected_fields_are_refused(
    live: LiveServer, storage: Storage, fields: dict[str, Any], reason: Reason
) -> None:
    before = storage.kept()
    answer = await _refusal(live, **fields)
    assert answer.reason == reason
    assert storage.kept() == before


@pytest.mark.parametrize("check_id", ["", "7", "\x00", "0" * 32, "{" * 1_000_000, "x" * 36, "\u0660" * 32])
async def test_unknown_identifiers_are_refused(live: LiveServer, check_id: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await live.finish(check_id)
    answer = refused(caught.value)
    assert_documented(answer)
    assert answer.reason in {Reason.INVALID_FIELD, Reason.CHECK_NOT_FOUND}


# Every hostile file through AnalyzeImage: a documented refusal or an answer, and nothing stored.

_FOR_TRUSTED_IMAGES = {ImageFormat.JP2, ImageFormat.J2K}


async def _analysed(live: LiveServer, data: bytes) -> analysis_pb2.AnalyzeImageResponse | Refused:
    request = analysis_pb2.AnalyzeImageRequest(image=data, mode=analysis_pb2.ANALYSIS_MODE_FULL)
    try:
        return await live.analysis.AnalyzeImage(request)
    except grpc.RpcError as error:
        answer = refused(error)
        assert_documented(answer)
        assert answer.metadata["code"] == "INVALID_REQUEST"
        return answer


@pytest.mark.parametrize("case", some_fast(CASES, step=7), ids=_id)
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


async def test_other_modalities_and_malformed_files_are_not_analysed(
    live: LiveServer, storage: Storage, assets: Path
) -> None:
    before = storage.kept()
    folder = assets / "data" / "iso"
    paths = [*sorted(folder.glob("usnistgov*")), *sorted(folder.glob("uclouvain*nonregression*"))]
    for path in paths[::5]:
        answer = await _analysed(live, path.read_bytes())
        assert isinstance(answer, Refused) or answer.status == "error", path.name
    assert storage.kept() == before

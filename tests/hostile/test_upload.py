"""Every hostile file through the public API: the documented refusal, and nothing stored."""

from pathlib import Path

import grpc
import pytest
from facegate.v1 import verification_service_pb2 as service_pb2

from formats.errors import ImageFault
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


async def _refusal(live: LiveServer, data: bytes) -> Refused:
    with pytest.raises(grpc.RpcError) as caught:
        await live.service.UploadTrustedImage(service_pb2.UploadTrustedImageRequest(image=data))
    return refused(caught.value)


async def _refused_without_a_trace(
    live: LiveServer, storage: Storage, data: bytes, reasons: frozenset[Reason]
) -> None:
    before = storage.kept()
    answer = await _refusal(live, data)
    assert_documented(answer)
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
        answer = await _refusal(live, path.read_bytes())
        assert_documented(answer)
        assert Reason(answer.reason) in _OF_THE_IMAGE, path.name
        seen += 1
    assert seen > 20
    assert storage.kept() == before


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (service_pb2.UploadTrustedImageRequest(), Reason.IMAGE_EMPTY),
        (service_pb2.UploadTrustedImageRequest(image=b""), Reason.IMAGE_EMPTY),
        (service_pb2.UploadTrustedImageRequest(image=b"x", policy="p" * 1_000_000), Reason.POLICY_NOT_FOUND),
        (service_pb2.UploadTrustedImageRequest(image=b"x", policy="\x00\n\u202e"), Reason.POLICY_NOT_FOUND),
        (service_pb2.UploadTrustedImageRequest(image=b"x", mode=99), Reason.INVALID_FIELD),  # type: ignore[arg-type]  # no value of the enumeration, on purpose
        (
            service_pb2.UploadTrustedImageRequest(image=b"x", subject_reference="s" * 10_000),
            Reason.INVALID_FIELD,
        ),
        (service_pb2.UploadTrustedImageRequest(image=b"x", subject_reference="a\x00b"), Reason.INVALID_FIELD),
        (service_pb2.UploadTrustedImageRequest(image=b"x", consent_reference="\x00"), Reason.INVALID_FIELD),
        (service_pb2.UploadTrustedImageRequest(image=b"x", request_id="7" * 1_000_000), Reason.INVALID_FIELD),
        (service_pb2.UploadTrustedImageRequest(image=b"x", request_id="no UUID"), Reason.INVALID_FIELD),
        (
            service_pb2.UploadTrustedImageRequest(image_reference="../../etc/passwd"),
            Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
        ),
        (
            service_pb2.UploadTrustedImageRequest(image_reference="x" * 1_000_000),
            Reason.IMAGE_REFERENCE_NOT_CONFIGURED,
        ),
    ],
    ids=range(12),
)
async def test_unexpected_fields_are_refused(
    live: LiveServer, storage: Storage, request_: service_pb2.UploadTrustedImageRequest, reason: Reason
) -> None:
    before = storage.kept()
    with pytest.raises(grpc.RpcError) as caught:
        await live.service.UploadTrustedImage(request_)
    answer = refused(caught.value)
    assert_documented(answer)
    assert answer.reason == reason
    assert storage.kept() == before


@pytest.mark.parametrize("check_id", ["", "7", "\x00", "0" * 32, "{" * 1_000_000, "x" * 36, "\u0660" * 32])
async def test_unknown_identifiers_are_refused(live: LiveServer, check_id: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        await live.finish(check_id)
    answer = refused(caught.value)
    assert_documented(answer)
    assert answer.reason in {Reason.INVALID_FIELD, Reason.CHECK_NOT_FOUND}

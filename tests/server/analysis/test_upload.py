import pytest

from server.analysis.errors import AnalysisRefused
from server.analysis.upload import (
    LEAST_CHUNK_BYTES,
    MOST_BYTES,
    MOST_CHUNK_BYTES,
    UploadKind,
    UploadPlan,
    VideoUpload,
)
from server.analysis.video import MAXIMUM_STILLS
from server.base.errors import Reason
from tests.hostile.image_files import iso_media
from vision.isolation.video import VideoContainer

_AVI = b"RIFF\0\0\0\0AVI "
_HEAD = _AVI + bytes(LEAST_CHUNK_BYTES)


def _video(total_bytes: int = 0) -> VideoUpload:
    return VideoUpload(UploadPlan(kind=UploadKind.VIDEO, total_bytes=total_bytes))


def _frames(total_bytes: int = 0) -> VideoUpload:
    return VideoUpload(UploadPlan(kind=UploadKind.FRAMES, total_bytes=total_bytes))


def _reason(caught: pytest.ExceptionInfo[AnalysisRefused]) -> Reason:
    return caught.value.reason


def test_chunks_become_the_file() -> None:
    upload = _video(total_bytes=len(_HEAD) + 5000 + 3)
    for chunk in (_HEAD, b"a" * 5000, b"end"):
        upload.add_chunk(chunk)
    assert upload.video() == _HEAD + b"a" * 5000 + b"end"


def test_frames_keep_their_order() -> None:
    upload = _frames()
    upload.add_frame(b"one")
    upload.add_frame(b"two")
    assert upload.frames() == [b"one", b"two"]


@pytest.mark.parametrize("chunk", [b"", bytes(MOST_CHUNK_BYTES + 1)], ids=["empty", "too long"])
def test_a_chunk_has_bytes_and_not_too_many(chunk: bytes) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _video().add_chunk(chunk)
    assert _reason(caught) is Reason.INVALID_FIELD
    assert caught.value.details["field"] == "chunk"


def test_a_flood_of_crumbs_ends_at_the_second() -> None:
    upload = _video()
    upload.add_chunk(_AVI)
    with pytest.raises(AnalysisRefused) as caught:
        upload.add_chunk(b"a")
    assert _reason(caught) is Reason.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x89PNG\r\n\x1a\n", None),
        (iso_media(b"heic"), "HEIC"),
        (iso_media(b"avif"), "AVIF"),
        (b"\x1f\x8b", "gzip"),
    ],
)
def test_anything_but_a_video_is_refused_at_its_first_chunk(start: bytes, name: str | None) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _video().add_chunk(start + bytes(LEAST_CHUNK_BYTES))
    assert _reason(caught) is Reason.VIDEO_FORMAT_NOT_SUPPORTED
    assert caught.value.details.get("format") == name


def test_the_first_byte_too_many_ends_it() -> None:
    upload = _video()
    upload.add_chunk(_AVI + bytes(MOST_CHUNK_BYTES - len(_AVI)))
    for _ in range(MOST_BYTES // MOST_CHUNK_BYTES - 1):
        upload.add_chunk(bytes(MOST_CHUNK_BYTES))
    upload.add_chunk(bytes(MOST_BYTES % MOST_CHUNK_BYTES))
    with pytest.raises(AnalysisRefused) as caught:
        upload.add_chunk(b"x")
    assert _reason(caught) is Reason.VIDEO_TOO_LARGE
    assert upload.video() == b""


def test_more_than_announced_and_fewer_are_refused() -> None:
    more = _video(total_bytes=len(_HEAD) - 1)
    with pytest.raises(AnalysisRefused) as caught:
        more.add_chunk(_HEAD)
    assert _reason(caught) is Reason.VIDEO_MALFORMED
    fewer = _video(total_bytes=len(_HEAD) + 1)
    fewer.add_chunk(_HEAD)
    with pytest.raises(AnalysisRefused) as caught:
        fewer.video()
    assert _reason(caught) is Reason.VIDEO_MALFORMED
    assert caught.value.details["totalBytes"] == len(_HEAD) + 1


def test_frames_and_chunks_do_not_mix() -> None:
    with pytest.raises(AnalysisRefused) as caught:
        _video().add_frame(b"x")
    assert _reason(caught) is Reason.UNEXPECTED_MESSAGE
    with pytest.raises(AnalysisRefused) as caught:
        _frames().add_chunk(_HEAD)
    assert _reason(caught) is Reason.UNEXPECTED_MESSAGE


def test_limits_of_still_frames() -> None:
    for frame, reason in ((b"", Reason.IMAGE_EMPTY), (bytes(10_000_001), Reason.IMAGE_TOO_LARGE)):
        with pytest.raises(AnalysisRefused) as caught:
            _frames().add_frame(frame)
        assert _reason(caught) is reason
        assert caught.value.details["frameIndex"] == 0
    upload = _frames()
    for _ in range(MAXIMUM_STILLS):
        upload.add_frame(b"x")
    with pytest.raises(AnalysisRefused) as caught:
        upload.add_frame(b"x")
    assert _reason(caught) is Reason.VIDEO_TOO_LARGE


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (UploadPlan(kind=UploadKind.VIDEO, total_bytes=MOST_BYTES + 1), Reason.VIDEO_TOO_LARGE),
        (UploadPlan(kind=UploadKind.FRAMES, container=VideoContainer.MP4), Reason.INVALID_FIELD),
    ],
)
def test_plans_that_cannot_be_kept(plan: UploadPlan, reason: Reason) -> None:
    with pytest.raises(AnalysisRefused) as caught:
        plan.validate()
    assert _reason(caught) is reason


def test_a_plan_that_can_be_kept() -> None:
    UploadPlan(kind=UploadKind.VIDEO, container=VideoContainer.WEBM, total_bytes=MOST_BYTES).validate()

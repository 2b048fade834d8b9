"""The test of a video before it is decoded."""

import pytest

from vision.isolation.video import VideoContainer, VideoLimits, detect_container

EBML = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01"


@pytest.mark.parametrize(
    ("data", "container"),
    [
        (b"\0\0\0\x18ftypisom", VideoContainer.MP4),
        (b"\0\0\0\x14ftypqt  ", VideoContainer.MOV),
        (b"\0\0\0\x08widemdat", VideoContainer.MOV),
        (b"RIFF\0\0\0\0AVI LIST", VideoContainer.AVI),
        (EBML + b"\x42\x82\x84webm", VideoContainer.WEBM),
        (EBML + b"\x42\x82\x88matroska", VideoContainer.MKV),
        (EBML + b"\x42\x82\x85webmx", None),
        (EBML + bytes(200) + b"\x42\x82\x84webm", None),
        (EBML, None),
        (b"RIFF\0\0\0\0WEBPVP8 ", None),
        (b"", None),
        (b"GIF89a", None),
    ],
)
def test_containers_are_known_by_their_first_bytes(data: bytes, container: VideoContainer | None) -> None:
    assert detect_container(data) is container


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_bytes": 0},
        {"max_bytes": 50_000_001},
        {"max_frames": 0},
        {"max_frames": 1001},
        {"max_pixels": 0},
        {"max_pixels": 100, "max_total_pixels": 99},
        {"max_total_pixels": 2_000_000_000},
        {"max_seconds": 0.0},
        {"max_frames_per_second": 0.0},
    ],
)
def test_limits_that_limit_nothing_are_a_mistake(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        VideoLimits(**wrong)  # type: ignore[arg-type]  # on purpose

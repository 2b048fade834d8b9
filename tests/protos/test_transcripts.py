"""The recorded scans for authors of SDKs, against the code and their schema."""

import json
from typing import Any

import pytest

from formats.image_format import ImageFormat
from tests.protos.make_transcripts import SCHEMA_FILE, TRANSCRIPTS_FILE, rendered
from tests.protos.test_vectors import Refused, Transcript, verify_transcript
from tests.protos.tiny_jpeg import tiny_jpeg
from vision.image import DecodeLimits, decode_image

_PUBLISHED: dict[str, Any] = json.loads(TRANSCRIPTS_FILE.read_text(encoding="utf-8"))


def _by_name(kind: str) -> dict[str, Transcript]:
    return {transcript["name"]: transcript for transcript in _PUBLISHED[kind]}


def test_code_gives_the_published_scans_byte_for_byte() -> None:
    assert rendered() == TRANSCRIPTS_FILE.read_text(encoding="utf-8")


def test_the_published_scans_keep_to_their_schema() -> None:
    # Imported here: its grammars take every process seconds that collects the tests.
    import jsonschema

    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(_PUBLISHED, schema)


@pytest.mark.parametrize("name", _by_name("accepted"))
def test_a_right_scan_is_accepted(name: str) -> None:
    verify_transcript(_by_name("accepted")[name])


@pytest.mark.parametrize("name", _by_name("refused"))
def test_a_wrong_scan_is_refused_where_it_says_so(name: str) -> None:
    transcript = _by_name("refused")[name]
    with pytest.raises(Refused) as refused:
        verify_transcript(transcript)
    assert refused.value == Refused(transcript["stream"], transcript["message"], transcript["reason"])
    sender = transcript["streams"][transcript["stream"]]["messages"][transcript["message"]]["from"]
    assert sender != transcript["refused_by"]


def test_a_frame_is_a_jpeg_of_three_channels() -> None:
    limits = DecodeLimits(max_bytes=4096, max_pixels=64, max_side=8)
    formats = frozenset({ImageFormat.JPEG})
    decoded = decode_image(tiny_jpeg(100), limits=limits, formats=formats, honour_exif_orientation=False)
    assert decoded.pixels.shape == (8, 8, 3)
    assert decoded.header.channels == 3

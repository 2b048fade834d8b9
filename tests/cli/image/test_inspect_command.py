"""``facegate image inspect`` as a user runs it."""

import json
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from typer.testing import CliRunner

from cli.image.command import app
from cli.image.inspection import as_json, sections
from cli.main import app as whole_app
from matcher.records import (
    EyeCentres,
    Record39794,
    RecordMetadata,
    RecordVersion,
    open_trusted_image,
    serialise,
    wrap_in_dg2,
)
from matcher.records.codes import Expression, FaceImageType2011, Feature, Gender, PostAcquisition
from matcher.records.values import PoseDegrees, QualityBlock
from tests.cli.image.pictures import picture, record
from tests.matcher.records.iso_39794.samples import ALL_FIELDS, DG2_ALL_FIELDS, real_file, records_39794

runner = CliRunner(env={"COLUMNS": "120"})
_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
_KNOWN = RecordMetadata(
    face_image_type=FaceImageType2011.FULL_FRONTAL,
    eyes=EyeCentres(left=(38, 30), right=(22, 31)),
    pose=PoseDegrees(yaw=-4.0, yaw_uncertainty=5.0),
    gender=Gender.FEMALE,
    features=frozenset({Feature.GLASSES, Feature.BEARD}),
    expressions=frozenset({Expression.NEUTRAL}),
    capture_time=datetime(2026, 11, 20, 14, 0, 1, 250_000, tzinfo=UTC),
    subject_height=181,
    quality=(QualityBlock(88, 1, 2), QualityBlock(255, 3, 4)),
    head_width=250.0,
    post_acquisition=frozenset({PostAcquisition.CROPPED}),
)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = runner.invoke(app, ["inspect", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def rows(output: str) -> dict[str, str]:
    """Names and values of the table; for a repeated name the last value."""
    pairs = (line.strip().split("  ", 1) for line in output.splitlines())
    return {pair[0].strip(): pair[1].strip() for pair in pairs if len(pair) == 2}


def inspected(tmp_path: Path, data: bytes) -> dict[str, Any]:
    file = tmp_path / "any.name"
    file.write_bytes(data)
    status, output, _ = run(file, "--json")
    assert status == 0
    found = json.loads(output)
    assert isinstance(found, dict)
    return found


def test_every_field_of_a_2011_record_is_reported_in_words(tmp_path: Path) -> None:
    file = tmp_path / "record"
    file.write_bytes(record(_2011, _KNOWN))
    status, output, _ = run(file)
    assert status == 0
    found = rows(output)
    expected = {
        "nesting": "ISO/IEC 19794-5:2011 > image/jpeg",
        "version": "030",
        "face image type": "full frontal",
        "gender": "female",
        "features": "beard, glasses",
        "expressions": "neutral",
        "yaw": "degrees -4, uncertainty 5",
        "pitch": "not given",
        "eye centres": "left 38, 30, right 22, 31",
        "capture time": "2026-11-20T14:00:01.250+00:00",
        "subject height cm": "181",
        "spatial sampling rate level": "2",
        "post acquisition": "cropped",
        "exif orientation": "1",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "point 12.1, name centre of the left eye, x 38, y 30" in output
    assert "score 88, algorithm vendor 1, algorithm 2" in output
    assert "No discrepancies." in output
    assert "facegate image check tells whether any are missing" in output


def test_json_output_has_the_same_content(tmp_path: Path) -> None:
    found = inspected(tmp_path, record(_2011, _KNOWN))
    assert found["container"] == "ISO_19794_5_2011"
    assert found["record"]["declared_length"] == found["bytes"]
    (face,) = found["representations"]
    assert face["gender"] == {"code": 2, "meaning": "female"}
    assert face["features"] == ["BEARD", "GLASSES"]
    assert face["pose"]["yaw"] == {"degrees": -4.0, "uncertainty": 5.0}
    assert face["pose"]["roll"] == {"degrees": None, "uncertainty": None}
    assert face["eye_centres"] == {"left": [38, 30], "right": [22, 31]}
    assert face["capture_time"] == "2026-11-20T14:00:01.250+00:00"
    assert face["quality"][0] == {"score": 88, "algorithm_vendor": 1, "algorithm": 2}
    assert found["picture"]["width"] == 60
    assert found["picture"]["offset"] == found["bytes"] - found["picture"]["bytes"]
    assert found["discrepancies"] == []


def test_a_dg2_is_distinguished_from_the_outside_inwards(tmp_path: Path) -> None:
    data = wrap_in_dg2([record(_2005)])
    found = inspected(tmp_path, data)
    assert found["nesting"] == "ICAO DG2 > ISO/IEC 19794-5:2005 > image/jpeg"
    assert found["dg2"]["records"][0]["header"]["biometric type"] == "02"
    file = tmp_path / "dg2"
    file.write_bytes(data)
    status, output, _ = run(file)
    assert status == 0
    assert output.index("ICAO DG2") < output.index("Facial record") < output.index("Picture as found")
    assert "biometric type 02, biometric subtype 00" in output


@pytest.mark.parametrize(
    ("format_", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("JPEG2000", "image/jp2")]
)
def test_a_bare_image_is_described(tmp_path: Path, format_: str, media_type: str) -> None:
    found = inspected(tmp_path, picture(format_))
    assert found["nesting"] == found["picture"]["media_type"] == media_type
    assert (found["dg2"], found["record"], found["representations"]) == (None, None, [])


def test_discrepancies_are_reported(tmp_path: Path) -> None:
    data = bytearray(record(_2005))
    struct.pack_into(">H", data, 14 + 20 + 2, 337)
    found = inspected(tmp_path, bytes(data) + b"abc")
    assert {one["kind"] for one in found["discrepancies"]} == {"SIZE", "TRAILING_BYTES"}
    file = tmp_path / "record"
    file.write_bytes(bytes(data) + b"abc")
    _, output, _ = run(file)
    assert "2 discrepancies:" in output
    assert "SIZE: the record declares 337 x 80 pixels, the code stream has 60 x 80" in output


def test_codes_that_the_standard_does_not_name_are_reported_as_numbers(tmp_path: Path) -> None:
    data = bytearray(record(_2005))
    data[14 + 6] = 77
    data[14 + 12 : 14 + 14] = b"\x80\x03"
    data[14 + 20 + 6] = 200
    found = inspected(tmp_path, bytes(data))["representations"][0]
    assert found["gender"] == {"code": 77, "meaning": "reserved code 0x4d"}
    assert (found["expressions"], found["expression_code"]) == (None, 0x8003)
    file = tmp_path / "record"
    file.write_bytes(bytes(data))
    output = rows(run(file)[1])
    assert output["gender"] == "reserved code 0x4d"
    assert output["colour space"] == "vendor code 0xc8"
    assert output["expression code"] == str(0x8003)


def test_all_faces_of_a_record_are_reported(tmp_path: Path) -> None:
    one = record(_2005)
    two = one[:8] + struct.pack(">IH", 14 + 2 * (len(one) - 14), 2) + one[14:] * 2
    found = inspected(tmp_path, two)
    assert [face["position"] for face in found["representations"]] == [1, 2]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "There are no bytes"),
        (b"some text", "is not a PNG, JPEG or JPEG 2000 image"),
        (b"IIR\0 020" + bytes(40), "iris image record (ISO/IEC 19794-6)"),
        (b"FAC\x00010\x00" + bytes(3), "header needs 14 bytes"),
    ],
)
def test_an_unreadable_file_prints_one_line_and_exits_with_2(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(data)
    status, output, error = run(file)
    assert (status, output) == (2, "")
    assert says in error
    assert len(error.strip().splitlines()) == 1


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none", "cannot be read"), (tmp_path, "cannot be read")):
        status, _, error = run(path)
        assert status == 2
        assert says in error


def test_the_command_is_registered_and_its_help_has_examples() -> None:
    result = runner.invoke(whole_app, ["image", "inspect", "--help"])
    assert result.exit_code == 0
    assert "facegate image inspect EF_DG2.bin" in result.stdout


def test_every_field_of_the_real_39794_record_is_told_in_words(tmp_path: Path, assets: Path) -> None:
    file = tmp_path / "record"
    file.write_bytes(real_file(assets, ALL_FIELDS))
    status, output, _ = run(file)
    assert status == 0
    found = rows(output)
    expected = {
        "nesting": "ISO/IEC 39794-5:2019 > image/jp2",
        "version": "generation 3, year 2019",
        "in context tag": "yes",
        "image data format": "JPEG 2000 lossy",
        "face image kind": "mrtd",
        "post acquisition processing": "none",
        "lossy transformation attempts": "zero",
        "camera to subject distance": "3000",
        "image size": "width 572, height 731",
        "image colour space": "24-bit RGB",
        "schema": b"Reference Colour Schema Example".hex(),
        "decision": "no attack",
        "session id": "9",
        "model id": "organization 1, id 1",
        "gender": "female",
        "hair colour": "brown",
        "subject height": "1786",
        "expression": "neutral",
        "pitch angle": "angle value 3, angle uncertainty 1",
        "landmark kind": "mpeg4 feature point 2.11",
        "cartesian 2d": "x 90, y 22",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert "year 2024, month 1, day 20, hour 13, minute 23, second 9, millisecond 908" in output
    assert "SIZE: the record declares 572 x 731 pixels" in output


def test_json_of_the_real_39794_record(tmp_path: Path, assets: Path) -> None:
    found = inspected(tmp_path, real_file(assets, DG2_ALL_FIELDS))
    assert found["nesting"] == "ICAO DG2 > ISO/IEC 39794-5:2019 > image/jp2"
    assert found["record"] == {
        "version": {"generation": 3, "year": 2019},
        "in_context_tag": True,
        "ignored_extensions": 0,
        "trailing_bytes": 0,
        "representations": 1,
    }
    (face,) = found["representations"]
    # The common view has the codes of 19794-5, the blocks those of the record.
    assert face["gender"] == {"code": 2, "meaning": "female"}
    blocks = face["blocks"]
    assert blocks["identity_metadata"]["gender"] == {"code": 3, "meaning": "female"}
    assert blocks["pad_data"]["challenges"] == [b"Challenge1".hex()]
    assert blocks["landmarks"][0] == {
        "landmark_kind": {"mpeg4_feature_point": {"code": 10, "meaning": "2.11"}},
        "landmark_coordinates": {"cartesian_2d": {"x": 90, "y": 22}},
    }
    assert "representation_data" not in blocks["image_representation"]
    assert [one["kind"] for one in found["discrepancies"]] == ["SIZE"]


@settings(max_examples=30, deadline=None)
@given(records_39794)
def test_any_39794_record_is_shown(record: Record39794) -> None:
    data = serialise(record)
    content = open_trusted_image(data)
    assert sections(content, data)
    json.dumps(as_json(content, data))

"""``facegate image convert`` as a user runs it."""

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cli.image import command
from cli.image.command import app
from cli.main import app as whole_app
from lab.simulator.photo import builtin_image
from matcher.records import (
    Container,
    EyeCentres,
    Record2011,
    Record39794,
    RecordMetadata,
    RecordVersion,
    TrustedImageContent,
    open_trusted_image,
    serialise,
    wrap_in_dg2,
)
from matcher.records.codes import FaceImageType2011, Gender, PostAcquisition
from matcher.records.iso_19794 import Representation2011
from matcher.records.values import CaptureTime, PoseDegrees, QualityBlock
from tests.cli.image.pictures import HEIGHT, WIDTH, picture, record, turned_jpeg
from tests.matcher.records.iso_39794.samples import (
    DG2_ALL_FIELDS,
    image_representation,
    real_file,
    record_bytes,
    representation,
)
from vision.face import BgrImage, Box, DetectedFace
from vision.image import encode_jpeg

runner = CliRunner(env={"COLUMNS": "120"})
_2005, _2011 = RecordVersion.ISO_19794_5_2005, RecordVersion.ISO_19794_5_2011
_39794 = RecordVersion.ISO_39794_5
_KNOWN = RecordMetadata(
    eyes=EyeCentres(left=(38, 30), right=(22, 31)), pose=PoseDegrees(yaw=4.0), gender=Gender.MALE
)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = runner.invoke(app, ["convert", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def converted(tmp_path: Path, data: bytes, *arguments: str) -> tuple[TrustedImageContent, str]:
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(data)
    status, output, error = run(source, out, *arguments)
    assert (status, error) == (0, "")
    assert sorted(tmp_path.iterdir()) == [out, source]
    return open_trusted_image(out.read_bytes()), output


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("form", ["iso2005", "iso2011", "iso39794", "dg2", "jpeg"])
def test_an_incomplete_picture_is_not_wrapped(tmp_path: Path, form: str) -> None:
    source, out = tmp_path / "source.jpg", tmp_path / "out"
    whole = encode_jpeg(builtin_image("astronaut"), 90)
    source.write_bytes(whole[: len(whole) // 2] + b"\xff\xd9")
    status, _, error = run(source, out, "--to", form)
    assert status != 0
    assert "incomplete" in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("form", "container"),
    [
        ("iso2005", Container.ISO_19794_5_2005),
        ("iso2011", Container.ISO_19794_5_2011),
        ("iso39794", Container.ISO_39794_5),
        ("dg2", Container.ISO_19794_5_2005),
        ("dg2-39794", Container.ISO_39794_5),
    ],
)
@pytest.mark.parametrize("format_", ["JPEG", "JPEG2000"])
def test_a_picture_becomes_a_record_and_comes_out_again_byte_for_byte(
    tmp_path: Path, form: str, container: Container, format_: str
) -> None:
    data = picture(format_)
    content, output = converted(tmp_path, data, "--to", form)
    assert "kept byte for byte" in output
    assert (content.container, content.in_dg2) == (container, form.startswith("dg2"))
    assert content.image == data
    assert content.notes == ()
    if format_ == "JPEG":
        back = tmp_path / "back.jpg"
        assert run(tmp_path / "out", "--to", "jpeg", back)[0] == 0
        assert back.read_bytes() == data


@pytest.mark.parametrize(
    ("name", "media_type", "in_dg2"),
    [
        ("out.jpg", "image/jpeg", None),
        ("OUT.JPEG", "image/jpeg", None),
        ("out.png", "image/png", None),
        ("out.dg2", "image/jpeg", True),
        ("out.39794.dg2", "image/jpeg", True),
        ("out.39794.der", "image/jpeg", False),
    ],
)
def test_the_suffix_of_the_target_states_the_form(
    tmp_path: Path, name: str, media_type: str, in_dg2: bool | None
) -> None:
    source, out = tmp_path / "source.fac", tmp_path / name
    source.write_bytes(record(_2005, _KNOWN))
    status, _, error = run(source, out)
    assert (status, error) == (0, "")
    content = open_trusted_image(out.read_bytes())
    assert content.media_type == media_type
    assert content.in_dg2 is bool(in_dg2)


@pytest.mark.parametrize("arguments", [["out.webp"], ["out.fac"], ["out.der"], ["out"], []])
def test_a_target_without_a_known_suffix_needs_a_form(tmp_path: Path, arguments: list[str]) -> None:
    source = tmp_path / "source"
    source.write_bytes(picture("JPEG"))
    status, _, error = run(source, *(tmp_path / name for name in arguments))
    assert status == 2
    assert "--to" in error
    assert list(tmp_path.iterdir()) == [source]


def test_to_decides_over_the_suffix_and_two_targets_are_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out.fac"
    source.write_bytes(picture("JPEG"))
    assert run(source, out, out, "--to", "iso2011")[0] == 2
    assert not out.exists()
    assert run(source, out, "--to", "iso2011")[0] == 0
    assert open_trusted_image(out.read_bytes()).container is Container.ISO_19794_5_2011


def test_a_png_stays_one_in_2011_and_becomes_a_jpeg_for_2005(tmp_path: Path) -> None:
    data = picture("PNG")
    content, _ = converted(tmp_path, data, "--to", "iso2011")
    assert content.image == data
    (tmp_path / "out").unlink()
    content, output = converted(tmp_path, data, "--to", "iso2005")
    assert content.media_type == "image/jpeg"
    assert "encoded again as JPEG of quality 95" in output
    assert np.abs(pixels(content.image).astype(int) - pixels(data)).mean() < 3


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}])
def test_jpeg_2000_is_decoded_in_isolation(tmp_path: Path, options: dict[str, object]) -> None:
    data = picture("JPEG2000", **options)
    content, output = converted(tmp_path, data, "--to", "png")
    assert content.media_type == "image/png"
    assert "stored as PNG" in output
    assert np.array_equal(pixels(content.image), pixels(picture("PNG")))


def test_metadata_are_converted_into_the_other_version(tmp_path: Path) -> None:
    content, output = converted(tmp_path, record(_2005, _KNOWN), "--to", "iso2011")
    view = content.representation
    assert view is not None
    assert view.eye_centres == _KNOWN.eyes
    assert view.pose == _KNOWN.pose
    assert view.gender is Gender.MALE
    assert "no place for" not in output


def test_lost_metadata_are_reported(tmp_path: Path) -> None:
    known = RecordMetadata(subject_height=180, quality=(QualityBlock(1, 1, 1),))
    content, output = converted(tmp_path, record(_2011, known), "--to", "dg2")
    assert "no field for: height of the person, quality scores" in output
    assert content.in_dg2


def test_a_turned_picture_is_turned_upright_for_a_record(tmp_path: Path) -> None:
    data = turned_jpeg()
    content, output = converted(tmp_path, data, "--to", "iso2011")
    assert "turned upright" in output
    assert content.header is not None
    assert (content.header.width, content.header.height) == (WIDTH, HEIGHT)
    assert content.header.orientation == 1
    assert np.abs(pixels(content.image).astype(int) - pixels(picture("PNG"))).mean() < 4
    view = content.representation
    assert view is not None
    assert view.post_acquisition == frozenset({PostAcquisition.ROTATED, PostAcquisition.MULTIPLY_COMPRESSED})
    # A JPEG file can state its orientation, so it stays unchanged.
    (tmp_path / "out").unlink()
    assert converted(tmp_path, data, "--to", "jpeg")[0].image == data


def test_an_evidence_frame_is_turned_and_mirrored_as_verify_tells(tmp_path: Path) -> None:
    upright = picture("PNG")
    stored = io.BytesIO()
    mirrored = Image.open(io.BytesIO(upright)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.rotate(90, expand=True).save(stored, format="PNG")
    content, output = converted(
        tmp_path, stored.getvalue(), "--to", "iso2011", "--rotate", "90", "--mirrored"
    )
    assert "turned upright" in output
    assert np.abs(pixels(content.image).astype(int) - pixels(upright)).mean() < 3


def test_the_moment_of_capture_goes_into_a_2011_record(tmp_path: Path) -> None:
    content, _ = converted(
        tmp_path, picture("JPEG"), "--to", "iso2011", "--captured", "2026-11-20T14:00:01.25Z"
    )
    view = content.representation
    assert view is not None
    assert view.capture_time == CaptureTime(2026, 11, 20, 14, 0, 1, 250)
    (tmp_path / "out").unlink()
    output = converted(tmp_path, picture("JPEG"), "--to", "dg2", "--captured", "2026-11-20T14:00:01")[1]
    assert "no field for: capture time" in output


def test_landmarks_and_pose_do_not_survive_a_turn(tmp_path: Path) -> None:
    content, output = converted(tmp_path, record(_2011, _KNOWN), "--to", "iso2011", "--rotate", "180")
    assert content.representation is not None
    assert content.representation.landmarks == ()
    assert not content.representation.pose.given
    assert "landmarks and its pose are omitted" in output


def test_lost_3d_data_are_reported(tmp_path: Path) -> None:
    face = Representation2011(
        image=picture("JPEG"), width=WIDTH, height=HEIGHT, face_image_type=0x81, three_d=b"3-D data"
    )
    data = serialise(Record2011(representations=(face,)))
    content, output = converted(tmp_path, data, "--to", "iso2011")
    assert "3-D data are omitted" in output
    assert content.representation is not None
    assert content.representation.face_image_type is FaceImageType2011.FULL_FRONTAL


class _Detector:
    """Detects a set number of faces, wherever the image shows them."""

    def __init__(self, count: int) -> None:
        points = np.array([[22.4, 30.6], [38.4, 30.4], [30, 40], [25, 50], [35, 50]], np.float32)
        face = DetectedFace(Box(left=10, top=10, right=50, bottom=70), 0.9, points)
        self._faces = (face,) * count

    def detect(self, _image: BgrImage) -> tuple[DetectedFace, ...]:
        return self._faces


def test_the_eyes_of_the_one_face_go_into_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "load_pack", lambda *_, **__: SimpleNamespace(detector=_Detector(1)))
    content, output = converted(tmp_path, picture("JPEG"), "--to", "iso2011", "--pack", "any")
    view = content.representation
    assert view is not None
    # A detector's left is the image's, a record's is the person's own.
    assert view.eye_centres == EyeCentres(left=(38, 30), right=(22, 31))
    assert "left (38, 30), right (22, 31)" in output
    assert view.sampling_rate_level == 0


@pytest.mark.parametrize("count", [0, 2])
def test_no_record_is_made_without_exactly_one_face(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(command, "load_pack", lambda *_, **__: SimpleNamespace(detector=_Detector(count)))
    source, out = tmp_path / "source.jpg", tmp_path / "out"
    source.write_bytes(picture("JPEG"))
    status, _, error = run(source, "--to", "iso2011", "--pack", "any", out)
    assert status == 2
    assert f"found {count} faces" in error
    assert not out.exists()


@pytest.mark.slow
def test_the_eyes_are_found_with_a_real_pack(tmp_path: Path) -> None:
    photo = encode_jpeg(builtin_image("astronaut"), 92)
    content, output = converted(tmp_path, photo, "--to", "iso2011", "--pack", "embedded")
    view = content.representation
    assert isinstance(content.record, Record2011)
    assert view is not None
    assert view.eye_centres is not None
    # In an image that is not mirrored the person's left eye is on the right.
    left, right = view.eye_centres.left, view.eye_centres.right
    assert 380 < left[0] < 415
    assert 285 < right[0] < 315
    assert abs(left[1] - right[1]) < 15
    assert view.sampling_rate_level == 1
    assert "Eye centres" in output


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("iso2011", "me.2011.fac"),
        ("iso2005", "me.2005.fac"),
        ("dg2", "me.dg2"),
        ("png", "me.png"),
        ("jpeg", "me.jpg"),
    ],
)
def test_the_target_is_named_after_its_source(tmp_path: Path, form: str, name: str) -> None:
    source = tmp_path / "me.jp2"
    source.write_bytes(picture("JPEG2000"))
    status, output, _ = run(source, "--to", form)
    assert status == 0
    assert (tmp_path / name).is_file()
    assert name in output


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    source, out = tmp_path / "me.jpg", tmp_path / "me.2005.fac"
    source.write_bytes(picture("JPEG"))
    out.write_bytes(b"mine")
    status, _, error = run(source, "--to", "iso2005")
    assert status == 2
    assert "already exists" in error
    assert out.read_bytes() == b"mine"
    out.unlink()
    assert run(source, "--to", "iso2005")[0] == 0
    assert open_trusted_image(out.read_bytes()).image == source.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["me.2005.fac", "me.jpg"]


def test_the_first_of_two_faces_is_converted_with_a_note(tmp_path: Path) -> None:
    data = wrap_in_dg2([record(_2005), record(_2005, _KNOWN)])
    content, output = converted(tmp_path, data, "--to", "jpeg")
    assert content.image == picture("JPEG")
    assert "Of 2 records only the first is converted." in output


@pytest.mark.parametrize(
    ("data", "arguments", "says"),
    [
        (b"text", ("--to", "jpeg"), "is not a PNG, JPEG or JPEG 2000"),
        (picture("JPEG")[:200], ("--to", "png"), "JPEG"),
        (picture("JPEG2000")[:100], ("--to", "png"), "JP2"),
        (picture("JPEG"), ("--to", "jpeg", "--rotate", "45"), "--rotate is 45"),
        (picture("JPEG"), ("--to", "iso2005", "--pack", "nonsense"), "nonsense"),
    ],
)
def test_a_failed_conversion_prints_one_line_and_leaves_no_file(
    tmp_path: Path, data: bytes, arguments: tuple[str, ...], says: str
) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(data)
    status, _, error = run(source, out, *arguments)
    assert status == 2
    assert says in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == [source]


def test_the_command_is_registered_and_its_help_has_examples() -> None:
    result = runner.invoke(whole_app, ["image", "convert", "--help"])
    assert result.exit_code == 0
    assert "--to iso2011" in result.stdout


def test_the_suffix_tells_the_two_forms_of_a_dg2_apart(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(picture("JPEG"))
    for name, container in (
        ("out.dg2", Container.ISO_19794_5_2005),
        ("out.39794.dg2", Container.ISO_39794_5),
    ):
        assert run(source, tmp_path / name)[0] == 0
        assert open_trusted_image((tmp_path / name).read_bytes()).container is container


def test_a_2011_record_goes_into_39794_and_back(tmp_path: Path) -> None:
    data = record(_2011, _KNOWN)
    content, output = converted(tmp_path, data, "--to", "iso39794", "--captured", "2026-11-20T14:00:01.250Z")
    assert "no field" not in output
    view = content.representation
    assert view is not None
    assert (view.eye_centres, view.pose, view.gender) == (_KNOWN.eyes, _KNOWN.pose, Gender.MALE)
    assert view.capture_time == CaptureTime(2026, 11, 20, 14, 0, 1, 250)
    back = tmp_path / "back"
    assert run(tmp_path / "out", "--to", "iso2011", back)[0] == 0
    again = open_trusted_image(back.read_bytes()).representation
    assert again is not None
    assert (again.eye_centres, again.pose, again.gender) == (_KNOWN.eyes, _KNOWN.pose, Gender.MALE)


def test_of_a_39794_record_that_is_turned_landmarks_and_pose_are_left_out(tmp_path: Path) -> None:
    known = replace(_KNOWN, subject_height=180)
    content, output = converted(tmp_path, record(_39794, known), "--to", "iso39794", "--rotate", "90")
    assert "landmarks and its pose are omitted" in output
    view = content.representation
    assert view is not None
    assert (view.width, view.height) == (HEIGHT, WIDTH)
    assert (view.landmarks, view.pose.given, view.subject_height) == ((), False, 180)
    assert view.post_acquisition == frozenset({PostAcquisition.ROTATED, PostAcquisition.MULTIPLY_COMPRESSED})


def test_the_real_39794_record_keeps_its_fields_and_names_those_that_2005_lacks(
    tmp_path: Path, assets: Path
) -> None:
    data = real_file(assets, DG2_ALL_FIELDS)
    before = open_trusted_image(data)
    content, output = converted(tmp_path, data, "--to", "iso39794")
    assert "kept byte for byte" in output
    assert isinstance(content.record, Record39794)
    assert isinstance(before.record, Record39794)
    assert content.notes == ()
    assert replace(content.record.representation, image_representation=None) == replace(
        before.record.representation, image_representation=None
    )
    (tmp_path / "out").unlink()
    _, output = converted(tmp_path, data, "--to", "iso2005")
    assert "A 2005 record has no field for: " in output
    assert "PAD data" in output


def test_extensions_are_omitted_and_counted(tmp_path: Path) -> None:
    _, output = converted(
        tmp_path, record_bytes(representation(b"\x8a\x03abc", image=image_representation(picture("JPEG")))),
        "--to", "iso39794",
    )  # fmt: skip
    assert "Its 1 extensions" in output

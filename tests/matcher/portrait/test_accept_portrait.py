"""Real photos that both packs accept."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from formats.errors import ImageFault
from matcher.comparison import MatchPolicy, compare
from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, Severity
from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.portrait import accept_portrait, examine_portrait
from matcher.portrait_report import PortraitPolicy
from tests.matcher.portrait.portraits import POLICY, ZUCKERBERG, bomb, png, refusal
from tests.vision.decoders import decoders
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import Pack
from vision.pose import estimate_pose


class TestAccepted:
    def test_an_enlarged_astronaut(self, embedded: Pack, astronaut: BgrImage) -> None:
        large = cv2.resize(astronaut, None, fx=2.2, fy=2.2, interpolation=cv2.INTER_CUBIC)
        portrait = accept_portrait(png(large.astype(np.uint8)), pack=embedded, policy=POLICY)
        report = portrait.report
        assert (report.media_type, report.width, report.height) == ("image/png", 1126, 1126)
        assert report.eye_distance_px == pytest.approx(2.2 * 42.5, rel=0.1)
        assert np.linalg.norm(portrait.template.vector) == pytest.approx(1.0, abs=1e-5)
        assert report.face_box.centre[1] < 400  # the face, not the suit's folds that HOG takes for one
        declared = {
            IntakeCode.DECLARED_SIZE,
            IntakeCode.DECLARED_EYE_POSITIONS,
            IntakeCode.DECLARED_POSE,
        }
        assert {each.code for each in report.requirements} == {*Component, *IntakeCode} - declared
        assert all(each.passed for each in report.requirements if each.severity is Severity.HARD)

    def test_a_jpeg_2000_portrait_of_a_passport(self, pack: Pack, records: Path) -> None:
        data = (records / "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_Face.jpg").read_bytes()
        report = accept_portrait(data, pack=pack, policy=POLICY, still_decoder=decoders()).report
        assert report.media_type == "image/jp2"  # by content: the name says .jpg
        assert (report.width, report.height) == (413, 531)
        assert report.eye_distance_px == pytest.approx(116, rel=0.1)

    def test_its_bare_code_stream_gives_the_same_template(self, pack: Pack, records: Path) -> None:
        data = (records / "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_Face.jpg").read_bytes()
        bare = data[data.index(b"\xff\x4f\xff\x51") :]
        boxed_portrait = accept_portrait(data, pack=pack, policy=POLICY, still_decoder=decoders())
        bare_portrait = accept_portrait(bare, pack=pack, policy=POLICY, still_decoder=decoders())
        assert bare_portrait.report.media_type == "image/j2c"
        assert float(boxed_portrait.template.vector @ bare_portrait.template.vector) > 0.999

    def test_a_photo_turned_by_exif_is_measured_upright(self, pack: Pack, faces: Path) -> None:
        source = faces / ZUCKERBERG.format(1)
        upright = accept_portrait(source.read_bytes(), pack=pack, policy=POLICY)
        with Image.open(source) as photo:
            lying = photo.convert("RGB").transpose(Image.Transpose.ROTATE_90)
        exif, stream = Image.Exif(), io.BytesIO()
        exif[0x0112] = 6  # turn by 90 degrees clockwise to show
        lying.save(stream, "JPEG", quality=95, exif=exif)
        turned = accept_portrait(stream.getvalue(), pack=pack, policy=POLICY)
        assert (turned.report.width, turned.report.height) == (upright.report.width, upright.report.height)
        assert turned.report.eye_distance_px == pytest.approx(upright.report.eye_distance_px, rel=0.03)
        assert float(turned.template.vector @ upright.template.vector) > 0.97

    def test_a_face_on_a_poster_is_no_second_person(self, insightface: Pack, faces: Path) -> None:
        person = cv2.imread(str(faces / "cmusatyalab__images__examples__adams.jpg"))
        poster = cv2.imread(str(faces / ZUCKERBERG.format(1)))
        assert person is not None
        assert poster is not None
        scene = cv2.copyMakeBorder(person, 0, 0, 300, 0, cv2.BORDER_CONSTANT, value=(90, 90, 90))
        small = cv2.resize(poster, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
        scene[50 : 50 + small.shape[0], 20 : 20 + small.shape[1]] = small
        data = png(scene.astype(np.uint8))
        report = accept_portrait(data, pack=insightface, policy=POLICY).report
        assert report.background_faces == 1
        assert report.face_box.centre[0] > 300
        error = refusal(data, insightface, PortraitPolicy(second_face_fraction=0.1))
        assert error.reason is RefusalReason.FACE_NOT_UNIQUE

    def test_a_turned_head_is_accepted_with_advice(self, pack: Pack, faces: Path) -> None:
        data = (faces / "ageitgey__examples__knn_examples__train__obama__obama2.jpg").read_bytes()
        report = accept_portrait(data, pack=pack, policy=POLICY).report
        yaw = next(each for each in report.requirements if each.code is Component.HEAD_POSE_YAW)
        assert yaw.passed is False
        assert yaw.severity is Severity.ADVISORY
        assert yaw.required == "-5 to 5 deg"


class TestSamePerson:
    def test_two_photos_match_and_a_stranger_does_not(self, pack: Pack, faces: Path) -> None:
        policy = MatchPolicy(max_fmr=1e-2)
        names = (
            "ageitgey__examples__knn_examples__train__biden__biden2.jpg",
            "ageitgey__examples__biden.jpg",
            ZUCKERBERG.format(1),
        )
        biden, again, stranger = (
            accept_portrait((faces / name).read_bytes(), pack=pack, policy=POLICY).template for name in names
        )
        calibration = pack.match_calibration
        same = compare(portrait=biden, scan=again, calibration=calibration, policy=policy)
        other = compare(portrait=biden, scan=stranger, calibration=calibration, policy=policy)
        assert same.same_person
        assert not other.same_person
        assert same.similarity >= same.threshold_similarity > other.similarity


def _jpeg2000(image: BgrImage) -> bytes:
    stored = io.BytesIO()
    Image.fromarray(image[..., ::-1]).save(stored, format="JPEG2000")
    return stored.getvalue()


def test_jpeg2000_goes_through_the_decoder_that_is_handed_in(embedded: Pack, astronaut: BgrImage) -> None:
    policy = PortraitPolicy(min_eye_distance=40)
    data = _jpeg2000(astronaut)
    portrait = accept_portrait(data, pack=embedded, policy=policy, still_decoder=decoders())
    assert portrait.report.media_type == "image/jp2"
    with pytest.raises(TrustedImageRefused, match="in isolation only") as caught:
        accept_portrait(data, pack=embedded, policy=policy)
    assert caught.value.reason is ImageFault.UNSUPPORTED_FORMAT


class _SeesNone:
    scheme = "mediapipe478"

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        return None


def test_a_landmarker_that_sees_no_face_leaves_the_pose_to_the_five_points(
    embedded: Pack, astronaut: BgrImage
) -> None:
    pack, policy = replace(embedded, landmarker=_SeesNone()), PortraitPolicy(min_eye_distance=40)
    report = examine_portrait(png(astronaut), pack=pack, policy=policy)
    (face,) = embedded.detector.detect(astronaut)
    assert report.pose == estimate_pose(face.five_points, (512, 512))


class _Blind:
    scheme = "mediapipe478"

    def locate(self, image: BgrImage, face: DetectedFace) -> None:
        return None


class TestRefused:
    def test_no_bytes(self, pack: Pack) -> None:
        assert refusal(b"", pack).reason is ImageFault.EMPTY

    def test_one_byte_too_many_is_refused(self, pack: Pack) -> None:
        error = refusal(bomb(600, 600), pack, PortraitPolicy(max_bytes=len(bomb(600, 600)) - 1))
        assert error.reason is ImageFault.TOO_MANY_BYTES
        assert error.details["bytes"] == error.details["max_bytes"] + 1  # type: ignore[operator]

    @pytest.mark.parametrize(("width", "height"), [(20_000, 20_000), (10_001, 100)])
    def test_more_pixels_than_allowed(self, pack: Pack, width: int, height: int) -> None:
        error = refusal(bomb(width, height), pack)
        assert error.reason is ImageFault.TOO_MANY_PIXELS
        assert error.details["width"] == width

    def test_a_declared_thumbnail(self, pack: Pack) -> None:
        assert refusal(bomb(31, 600), pack).reason is ImageFault.TOO_SMALL

    def test_a_truncated_file_is_refused(self, pack: Pack, astronaut: BgrImage) -> None:
        assert refusal(png(astronaut)[:5000], pack).reason is ImageFault.MALFORMED

    @pytest.mark.parametrize("data", [b"GIF89a" + bytes(50), b"%PDF-1.7\n", b"II*\0" + bytes(50), b"\0" * 99])
    def test_other_formats(self, pack: Pack, data: bytes) -> None:
        error = refusal(data, pack)
        assert error.reason is ImageFault.UNSUPPORTED_FORMAT
        assert "PNG, JPEG or JPEG 2000" in str(error)

    def test_an_image_without_a_face_is_refused(self, pack: Pack) -> None:
        error = refusal(png(np.full((600, 600, 3), 127, dtype=np.uint8)), pack)
        assert error.reason is RefusalReason.FACE_NOT_FOUND
        assert error.details == {"faces": 0, "required_faces": 1}

    def test_a_face_without_features_is_refused(self, pack: Pack, faces: Path) -> None:
        data = (faces / ZUCKERBERG.format(1)).read_bytes()
        error = refusal(data, replace(pack, landmarker=_Blind()))
        assert error.reason is RefusalReason.FACE_NOT_FOUND
        assert "upright and from the front" in str(error)

    def test_a_jpeg_2000_file_without_a_face(self, pack: Pack, records: Path) -> None:
        data = (records / "uclouvain__input__conformance__file9.jp2").read_bytes()
        assert refusal(data, pack).reason is RefusalReason.FACE_NOT_FOUND

    @pytest.mark.parametrize(
        "name",
        [
            "two_people.jpg",
            "knn_examples__test__obama_and_biden.jpg",
            "knn_examples__test__kit_with_rose.jpg",
        ],
    )
    def test_two_people_are_refused(self, pack: Pack, faces: Path, name: str) -> None:
        error = refusal((faces / f"ageitgey__examples__{name}").read_bytes(), pack)
        assert error.reason is RefusalReason.FACE_NOT_UNIQUE
        assert int(error.details["faces"]) >= 2
        assert float(error.details["second_width_px"]) >= float(error.details["second_width_limit_px"])
        boxes = [
            [int(part) for part in box.split(",")] for box in str(error.details["face_boxes"]).split(";")
        ]
        assert len(boxes) == min(int(error.details["faces"]), 5)
        assert round(float(error.details["largest_width_px"])) == max(width for _, _, width, _ in boxes)

    @pytest.mark.parametrize("name", ["obama_partial_face.jpg", "obama_partial_face2.jpg"])
    def test_a_face_that_is_cut_off_is_refused(self, pack: Pack, faces: Path, name: str) -> None:
        error = refusal((faces / f"ageitgey__tests__test_images__{name}").read_bytes(), pack)
        assert error.reason is RefusalReason.FACE_CUT_OFF
        assert float(error.details["inside_fraction"]) < float(error.details["min_inside_fraction"])

    @pytest.mark.parametrize(
        ("name", "eye_distance"),
        [
            ("mosip__test__BiometricInfo__Face__info_face_auth.jp2", 60),
            (
                "openwallet-fou__multipaz-backend-server__src__main__resources__resources__img_erika_portrait.jpf",
                39,
            ),
        ],
    )
    def test_eyes_too_close_together(self, pack: Pack, records: Path, name: str, eye_distance: float) -> None:
        error = refusal((records / name).read_bytes(), pack)
        assert error.reason is RefusalReason.EYE_DISTANCE_TOO_SMALL
        assert error.details["min_eye_distance_px"] == 85.0
        assert float(error.details["eye_distance_px"]) == pytest.approx(eye_distance, rel=0.1)

    def test_the_astronaut_as_she_comes(self, embedded: Pack, astronaut: BgrImage) -> None:
        error = refusal(png(astronaut), embedded)
        assert error.reason is RefusalReason.EYE_DISTANCE_TOO_SMALL

    def test_the_error_contains_nothing_of_the_image(self, pack: Pack, records: Path) -> None:
        error = refusal((records / "mosip__test__BiometricInfo__Face__info_face_auth.jp2").read_bytes(), pack)
        assert all(isinstance(value, str | int | float) for value in error.details.values())

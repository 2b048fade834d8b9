"""Real photos and records that are accepted, with a report, or refused."""

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
from matcher.conformance.requirement import IntakeCode, Profile, Severity
from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.portrait import accept_portrait, examine_portrait
from matcher.portrait_report import PortraitPolicy, RuleChange
from matcher.records import RecordVersion, Representations, build_record, serialise, wrap_in_dg2
from tests.formats.samples import png as png_file
from tests.packs import real_pack
from tests.vision.decoders import decoders
from vision.face import BgrImage, DetectedFace
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack
from vision.packs.loading import load_folder_pack
from vision.pose import estimate_pose

POLICY = PortraitPolicy()
ZUCKERBERG = "nyoki-mtl__data__images__MarkZuckerberg__Mark_Zuckerberg_000{}.jpg"


def png(image: BgrImage) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def refusal(data: bytes, pack: Pack, policy: PortraitPolicy = POLICY) -> TrustedImageRefused:
    with pytest.raises(TrustedImageRefused) as caught:
        accept_portrait(data, pack=pack, policy=policy, still_decoder=decoders())
    return caught.value


@pytest.fixture(scope="module")
def embedded() -> Pack:
    return real_pack()


@pytest.fixture(scope="module")
def insightface(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    for name in ("det_500m.onnx", "mobilefacenet_foamliu.onnx"):
        (folder / name).symlink_to((assets / "models" / name).resolve())
    return load_folder_pack("insightface", folder, runtime=RuntimeOptions())


@pytest.fixture(scope="module", params=["embedded", "insightface"])
def pack(request: pytest.FixtureRequest) -> Pack:
    chosen: Pack = request.getfixturevalue(request.param)
    return chosen


@pytest.fixture(scope="module")
def faces(assets: Path) -> Path:
    return assets / "data" / "faces"


@pytest.fixture(scope="module")
def records(assets: Path) -> Path:
    return assets / "data" / "iso"


@pytest.fixture(scope="module")
def astronaut() -> BgrImage:
    data = pytest.importorskip("skimage.data")
    picture: BgrImage = np.ascontiguousarray(data.astronaut()[:, :, ::-1])
    return picture


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


class _Blind:
    scheme = "mediapipe478"

    def locate(self, image: BgrImage, face: DetectedFace) -> None:
        return None


def test_a_landmarker_that_sees_no_face_leaves_the_pose_to_the_five_points(
    embedded: Pack, astronaut: BgrImage
) -> None:
    pack, policy = replace(embedded, landmarker=_Blind()), PortraitPolicy(min_eye_distance=40)
    report = examine_portrait(png(astronaut), pack=pack, policy=policy)
    (face,) = embedded.detector.detect(astronaut)
    assert report.pose == estimate_pose(face.five_points, (512, 512))


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "policy", "reason"),
        [
            (
                png_file(600, 600),
                PortraitPolicy(max_bytes=len(png_file(600, 600)) - 1),
                ImageFault.TOO_MANY_BYTES,
            ),
            (png_file(20_000, 20_000), POLICY, ImageFault.TOO_MANY_PIXELS),
            (png_file(10_001, 100), POLICY, ImageFault.TOO_MANY_PIXELS),
            (png_file(31, 600), POLICY, ImageFault.TOO_SMALL),
        ],
    )
    def test_a_picture_beyond_the_limits_of_the_policy(
        self, embedded: Pack, data: bytes, policy: PortraitPolicy, reason: ImageFault
    ) -> None:
        assert refusal(data, embedded, policy).reason is reason

    def test_other_formats(self, embedded: Pack) -> None:
        error = refusal(b"GIF89a" + bytes(50), embedded)
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

    def test_the_error_contains_nothing_of_the_image(self, pack: Pack, records: Path) -> None:
        error = refusal((records / "mosip__test__BiometricInfo__Face__info_face_auth.jp2").read_bytes(), pack)
        assert all(isinstance(value, str | int | float) for value in error.details.values())


class TestRecords:
    def test_a_real_dg2_is_opened(self, embedded: Pack, records: Path) -> None:
        data = next(records.glob("E3V3A__*.bin")).read_bytes()
        report = accept_portrait(data, pack=embedded, policy=POLICY, still_decoder=decoders()).report
        assert report.container == "ISO/IEC 19794-5:2005 in ICAO DG2"
        assert (report.media_type, report.width, report.height) == ("image/jp2", 449, 598)
        sizes = [each for each in report.requirements if each.code is IntakeCode.DECLARED_SIZE]
        assert [each.passed for each in sizes] == [True]

    def test_a_real_record_is_opened_and_its_face_too_small(self, embedded: Pack, records: Path) -> None:
        data = (records / "mosip__test__BiometricInfo__Face__info_face_auth.iso").read_bytes()
        assert refusal(data, embedded).reason is RefusalReason.EYE_DISTANCE_TOO_SMALL
        policy = PortraitPolicy(min_eye_distance=50)
        report = accept_portrait(data, pack=embedded, policy=policy, still_decoder=decoders()).report
        assert report.container == "ISO/IEC 19794-5:2011"

    @pytest.mark.parametrize("version", RecordVersion)
    def test_a_record_gives_the_template_of_its_picture(
        self, embedded: Pack, faces: Path, version: RecordVersion
    ) -> None:
        photo = (faces / ZUCKERBERG.format(1)).read_bytes()
        record = serialise(build_record(photo, version=version))
        alone = accept_portrait(photo, pack=embedded, policy=POLICY)
        inside = accept_portrait(record, pack=embedded, policy=POLICY)
        assert np.array_equal(alone.template.vector, inside.template.vector)
        assert inside.report.container.startswith(("ISO/IEC 19794-5:20", "ISO/IEC 39794-5"))

    def test_two_faces_in_a_record(self, embedded: Pack, faces: Path) -> None:
        photo = (faces / ZUCKERBERG.format(1)).read_bytes()
        record = serialise(build_record(photo, version=RecordVersion.ISO_19794_5_2005))
        two = wrap_in_dg2([record, record])
        assert refusal(two, embedded).reason is RefusalReason.RECORD_NOT_ONE_FACE
        first = PortraitPolicy(representations=Representations.FIRST)
        report = accept_portrait(two, pack=embedded, policy=first).report
        assert not any(each.refuses for each in report.requirements)

    def test_other_modalities(self, embedded: Pack, records: Path) -> None:
        finger = next(records.glob("usnistgov__Sampledata__fingerminutia*")).read_bytes()
        assert refusal(finger, embedded).reason is RefusalReason.RECORD_WRONG_MODALITY

    @pytest.mark.parametrize(
        "form", ["iso39794__test_data__ICAO_39794_5_AP_", "test_data__ICAO_39794_5_AP_DG2_"]
    )
    @pytest.mark.parametrize("fields", ["AllFields", "MandFields"])
    def test_a_39794_record_is_its_image(self, embedded: Pack, records: Path, form: str, fields: str) -> None:
        alone = (records / "gmrtd__document__iso39794__test_data__ICAO_39794_5_AP_Face.jpg").read_bytes()
        data = (records / f"gmrtd__document__{form}{fields}.dat").read_bytes()
        inside = accept_portrait(data, pack=embedded, policy=POLICY, still_decoder=decoders())
        outside = accept_portrait(alone, pack=embedded, policy=POLICY, still_decoder=decoders())
        assert np.array_equal(inside.template.vector, outside.template.vector)
        assert inside.report.container == (
            "ISO/IEC 39794-5 in ICAO DG2" if "DG2" in form else "ISO/IEC 39794-5"
        )
        declared = {
            requirement.code: requirement
            for requirement in inside.report.requirements
            if requirement.code.startswith("declared")
        }
        if fields == "MandFields":
            assert declared == {}
            assert inside.report.notes == ()
            return
        # Its fields are examples: the size is not that of its image, the pose nearly is.
        size, pose = declared[IntakeCode.DECLARED_SIZE], declared[IntakeCode.DECLARED_POSE]
        assert (size.measured, size.required, size.passed) == (
            "413 x 531 px",
            "as declared: 572 x 731 px",
            False,
        )
        assert size.clause.startswith("ISO/IEC 39794-5: ")
        assert pose.passed is True
        assert len(inside.report.notes) == 1


@pytest.mark.slow
def test_every_file_of_the_records_is_accepted_or_refused(embedded: Pack, records: Path) -> None:
    """Hostile JPEG 2000 files, wrong modalities and records: always a result or a refusal."""
    reasons = set()
    for path in sorted(records.iterdir()):
        try:
            accept_portrait(path.read_bytes(), pack=embedded, policy=POLICY, still_decoder=decoders())
        except TrustedImageRefused as error:
            reasons.add(error.reason)
    assert reasons >= {
        ImageFault.UNSUPPORTED_FORMAT,
        ImageFault.MALFORMED,
        ImageFault.TOO_MANY_PIXELS,
        RefusalReason.FACE_NOT_FOUND,
        RefusalReason.EYE_DISTANCE_TOO_SMALL,
        RefusalReason.RECORD_WRONG_MODALITY,
    }
    # The folder has ISO/IEC 39794-5 records in their binary form only, which is read.
    assert RefusalReason.ISO_39794_NOT_SUPPORTED not in reasons


class TestConformance:
    def test_a_hard_requirement_that_is_not_met_refuses(self, embedded: Pack, faces: Path) -> None:
        data = (faces / "ageitgey__examples__knn_examples__train__obama__obama2.jpg").read_bytes()
        strict = PortraitPolicy(changes={Component.HEAD_POSE_YAW: RuleChange(severity=Severity.HARD)})
        error = refusal(data, embedded, strict)
        assert error.reason is RefusalReason.NOT_CONFORMANT
        assert error.details["requirement"] == "head_pose_yaw"
        assert error.details["required"] == "-5 to 5 deg"
        assert str(error.details["measured"]).endswith("deg")
        assert "head pose yaw" in str(error)

    def test_a_hard_requirement_that_was_not_assessed_refuses_too(self, embedded: Pack, faces: Path) -> None:
        data = (faces / ZUCKERBERG.format(1)).read_bytes()
        strict = PortraitPolicy(changes={Component.EYES_OPEN: RuleChange(severity=Severity.HARD)})
        error = refusal(data, embedded, strict)
        assert error.reason is RefusalReason.NOT_CONFORMANT
        assert error.details["requirement"] == "eyes_open"
        assert "68 landmarks" in str(error.details["unassessed"])
        assert "measured" not in error.details

    def test_the_eye_distance_keeps_its_own_reason(self, embedded: Pack, faces: Path) -> None:
        data = (faces / ZUCKERBERG.format(1)).read_bytes()
        frontal = PortraitPolicy(
            profile=Profile.ISO_FULL_FRONTAL,
            changes={Component.INTER_EYE_DISTANCE: RuleChange(minimum=120)},
        )
        error = refusal(data, embedded, frontal)
        assert error.reason is RefusalReason.EYE_DISTANCE_TOO_SMALL
        assert error.details["min_eye_distance_px"] == 120

    def test_an_examination_reports_requirements_that_would_refuse(self, pack: Pack, faces: Path) -> None:
        data = (faces / "ageitgey__examples__two_people.jpg").read_bytes()
        report = examine_portrait(data, pack=pack, policy=POLICY)
        found = {each.code: each for each in report.requirements}
        assert found[IntakeCode.FACE_COUNT].refuses
        assert found[IntakeCode.FACE_COUNT].measured == "2 faces"

    def test_an_examination_reports_as_an_acceptance_does(self, embedded: Pack, faces: Path) -> None:
        data = (faces / ZUCKERBERG.format(1)).read_bytes()
        accepted = accept_portrait(data, pack=embedded, policy=POLICY).report
        examined = examine_portrait(data, pack=embedded, policy=POLICY)
        assert replace(examined, requirements=()) == replace(accepted, requirements=())
        for one, other in zip(examined.requirements, accepted.requirements, strict=True):
            assert (one.code, one.passed, one.unassessed) == (other.code, other.passed, other.unassessed)
            # A network's last digits depend on the memory address of its input.
            assert (one.value is None, one.score is None) == (other.value is None, other.score is None)
            if one.value is not None:
                assert one.value == pytest.approx(other.value, rel=1e-3, abs=1e-3)
            if one.score is not None:
                assert one.score == pytest.approx(other.score, abs=1)

    def test_where_nothing_is_to_be_seen_there_is_no_report(self, embedded: Pack) -> None:
        with pytest.raises(TrustedImageRefused) as caught:
            examine_portrait(png(np.full((600, 600, 3), 127, dtype=np.uint8)), pack=embedded, policy=POLICY)
        assert caught.value.reason is RefusalReason.FACE_NOT_FOUND

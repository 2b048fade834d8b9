"""Portraits: what a policy requires and reports, and real photos and records that are accepted or refused."""

import io
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from formats.errors import ImageFault
from formats.image_format import ImageFormat, ImageHeader
from matcher.comparison import MatchPolicy, compare
from matcher.conformance.interface import Component, Method, PortraitView
from matcher.conformance.requirement import (
    IntakeCode,
    Profile,
    Requirement,
    RequirementCode,
    Rule,
    Severity,
    profile_rules,
)
from matcher.errors import PortraitPolicyInvalid, RefusalReason, TrustedImageRefused
from matcher.portrait import accept_portrait, examine_portrait
from matcher.portrait_report import (
    PortraitPolicy,
    RuleChange,
    declared_requirements,
    face_inside,
    portrait_requirements,
)
from matcher.records import (
    EyeCentres,
    RecordVersion,
    Representation,
    Representations,
    build_record,
    open_trusted_image,
    serialise,
    wrap_in_dg2,
)
from matcher.records.values import PoseDegrees
from tests.formats.samples import png as png_file
from tests.matcher.conformance.pictures import FIVE_POINTS, Head, drawn_face, plain, portrait_of
from tests.packs import real_pack
from tests.vision.decoders import decoders
from vision.face import BgrImage, Box, DetectedFace, HeadPose
from vision.image import encode_jpeg
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
        # Compression is measured on the encoded picture: of a record, on the one in it.
        compression, of_record = (
            next(each for each in report.requirements if each.code is Component.COMPRESSION_ARTIFACTS)
            for report in (alone.report, inside.report)
        )
        assert of_record.value == compression.value is not None
        assert inside.report.container.startswith(("ISO/IEC 19794-5:20", "ISO/IEC 39794-5"))

    def test_two_faces_in_a_record(self, embedded: Pack, faces: Path) -> None:
        photo = (faces / ZUCKERBERG.format(1)).read_bytes()
        record = serialise(build_record(photo, version=RecordVersion.ISO_19794_5_2005))
        two = wrap_in_dg2([record, record])
        assert refusal(two, embedded).reason is RefusalReason.RECORD_NOT_ONE_FACE
        first = PortraitPolicy(representations=Representations.FIRST)
        report = accept_portrait(two, pack=embedded, policy=first).report
        assert not any(each.refuses for each in report.requirements)

    def test_a_39794_record_with_a_broken_image(self, embedded: Pack, records: Path) -> None:
        broken = next(records.glob("gmrtd__document__iso39794__*InvalidImage.dat")).read_bytes()
        assert refusal(broken, embedded).reason is ImageFault.UNSUPPORTED_FORMAT

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


@pytest.mark.parametrize(
    "numbers",
    [
        {"max_bytes": 0},
        {"max_pixels": 0},
        {"max_pixels": 80_000_001},
        {"min_side": 0},
        {"min_side": 11, "max_side": 10},
        {"min_eye_distance": math.nan},
        {"min_inside_fraction": 1.1},
        {"min_face_confidence": -0.1},
        {"second_face_fraction": 0.0},
        {"second_face_fraction": 1.1},
    ],
)
def test_numbers_out_of_range_are_refused(numbers: dict[str, float]) -> None:
    with pytest.raises(PortraitPolicyInvalid):
        PortraitPolicy(**numbers)  # type: ignore[arg-type] # wrong on purpose


def test_the_numbers_become_rules() -> None:
    policy = PortraitPolicy(max_bytes=100_000, min_eye_distance=95, min_inside_fraction=0.8)
    assert policy.rules[IntakeCode.FILE_SIZE] == Rule(severity=Severity.HARD, maximum=100_000)
    assert policy.rules[Component.INTER_EYE_DISTANCE] == Rule(severity=Severity.HARD, minimum=95)
    assert policy.rules[IntakeCode.FACE_INSIDE] == Rule(severity=Severity.HARD, minimum=0.8)


@pytest.mark.parametrize(
    ("profile", "asked", "least"),
    [
        (Profile.FACEGATE, 40.0, 40.0),
        (Profile.FACEGATE, 120.0, 120.0),
        (Profile.ISO_FULL_FRONTAL, 40.0, 90.0),
        (Profile.ISO_FULL_FRONTAL, 120.0, 120.0),
    ],
)
def test_the_larger_eye_distance_of_policy_and_profile_counts(
    profile: Profile, asked: float, least: float
) -> None:
    policy = PortraitPolicy(min_eye_distance=asked, profile=profile)
    assert policy.rules[Component.INTER_EYE_DISTANCE].minimum == least


@pytest.mark.parametrize(("floor", "asked"), [(85.0, 84.0), (200.0, 60.0)])
def test_a_requirement_must_not_undo_the_least_eye_distance(floor: float, asked: float) -> None:
    changes: dict[RequirementCode, RuleChange] = {Component.INTER_EYE_DISTANCE: RuleChange(minimum=asked)}
    with pytest.raises(PortraitPolicyInvalid, match="lower min_eye_distance too"):
        PortraitPolicy(min_eye_distance=floor, changes=changes)
    policy = PortraitPolicy(min_eye_distance=asked, changes=changes)
    assert policy.rules[Component.INTER_EYE_DISTANCE].minimum == asked


def test_a_change_keeps_the_unnamed_requirements() -> None:
    yaw = RuleChange(maximum=15, severity=Severity.HARD)
    policy = PortraitPolicy(
        changes={Component.HEAD_POSE_YAW: yaw, Component.SHARPNESS: RuleChange(minimum_score=80)}
    )
    assert policy.rules[Component.HEAD_POSE_YAW] == Rule(severity=Severity.HARD, minimum=-5, maximum=15)
    assert policy.rules[Component.SHARPNESS] == Rule(severity=Severity.ADVISORY, minimum_score=80)
    assert policy.rules[Component.HEAD_POSE_PITCH] == PortraitPolicy().rules[Component.HEAD_POSE_PITCH]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        (IntakeCode.MEDIA_TYPE, RuleChange(severity=Severity.IGNORED)),
        (IntakeCode.FILE_SIZE, RuleChange(maximum=5e6)),
        (IntakeCode.FACE_COUNT, RuleChange(maximum=2)),
        (Component.SHARPNESS, RuleChange(minimum_score=101)),
    ],
)
def test_changes_that_are_not_allowed_are_refused(code: RequirementCode, change: RuleChange) -> None:
    with pytest.raises(PortraitPolicyInvalid, match=code.value):
        PortraitPolicy(changes={code: change})


@pytest.mark.parametrize(
    ("code", "change", "message"),
    [
        (
            Component.SHARPNESS,
            RuleChange(minimum=5),
            "sharpness: minimum must .* range, 0 to 1, got 5;",
        ),
        (Component.INTER_EYE_DISTANCE, RuleChange(maximum=-1, minimum=-2), "range, 0 and more, got -2;"),
    ],
)
def test_bounds_that_no_picture_can_miss_or_meet_are_refused_with_the_range(
    code: RequirementCode, change: RuleChange, message: str
) -> None:
    with pytest.raises(PortraitPolicyInvalid, match=message):
        PortraitPolicy(min_eye_distance=1.0, changes={code: change})


@pytest.mark.parametrize(
    ("profile", "scheme", "missing"),
    [
        (Profile.FACEGATE, None, ()),
        (Profile.FACEGATE, "ibug68", ()),
        (Profile.ISO_FULL_FRONTAL, "mediapipe478", ()),
        (Profile.ISO_FULL_FRONTAL, "insightface106", ()),
        (Profile.ISO_FULL_FRONTAL, "ibug68", ("eyes_open",)),
        (Profile.ISO_FULL_FRONTAL, None, ("eyes_open", "mouth_closed", "head_size")),
    ],
)
def test_an_unassessable_hard_requirement_is_a_shortfall(
    profile: Profile, scheme: str | None, missing: tuple[str, ...]
) -> None:
    shortfall = PortraitPolicy(profile=profile).shortfall(scheme)
    assert (shortfall is not None) is bool(missing)
    for code in missing:
        assert code in (shortfall or "")


def test_a_requirement_that_no_pack_assesses_cannot_be_hard() -> None:
    change = RuleChange(severity=Severity.HARD)
    policy = PortraitPolicy(changes={Component.NO_HEAD_COVERINGS: change})
    assert "no_head_coverings" in (policy.shortfall("mediapipe478") or "")
    advisory = replace(change, severity=Severity.ADVISORY)
    assert PortraitPolicy(changes={Component.NO_HEAD_COVERINGS: advisory}).shortfall("ibug68") is None


HEADER = ImageHeader(format=ImageFormat.PNG, width=616, height=616, channels=3, bits_per_channel=8)


def found(
    policy: PortraitPolicy = POLICY, *, size: int = 100_000, persons: int = 1
) -> dict[RequirementCode, Requirement]:
    view = replace(Head().portrait(), image=drawn_face())
    requirements = portrait_requirements(
        view, size=size, persons=persons, header=HEADER, declared=None, policy=policy
    )
    assert len({each.code for each in requirements}) == len(requirements)
    return {each.code: each for each in requirements}


def test_the_intake_comes_first_then_the_components_in_the_standards_order() -> None:
    codes = list(found())
    assert codes[:6] == [
        IntakeCode.MEDIA_TYPE,
        IntakeCode.FILE_SIZE,
        IntakeCode.FACE_COUNT,
        IntakeCode.FACE_INSIDE,
        IntakeCode.HEAD_POSITION_ACROSS,
        IntakeCode.HEAD_POSITION_DOWN,
    ]
    assert codes[6:] == list(Component)


def test_every_requirement_names_its_source() -> None:
    for requirement in found().values():
        assert requirement.clause.startswith(("ISO/IEC ", "Facegate: "))
        assert requirement.required
        assert bool(requirement.measured) is not bool(requirement.unassessed)


def test_the_head_is_where_it_was_drawn() -> None:
    requirements = found()
    assert requirements[IntakeCode.HEAD_POSITION_ACROSS].value == pytest.approx(308 / 616)
    down = requirements[IntakeCode.HEAD_POSITION_DOWN]
    assert down.value == pytest.approx(272 / 616)
    assert down.measured == "0.442 of the height"
    assert down.passed is True


def test_sizes_and_counts_are_compared_with_the_policy() -> None:
    assert found(size=2_000_000)[IntakeCode.FILE_SIZE].passed is True
    too_large = found(size=2_000_001)[IntakeCode.FILE_SIZE]
    assert too_large.refuses
    assert too_large.required == "at most 2,000,000 bytes"
    assert found(persons=2)[IntakeCode.FACE_COUNT].refuses


def test_a_component_carries_its_score_and_method() -> None:
    size = found()[Component.HEAD_SIZE]
    assert (size.method, size.score is not None) == (Method.STANDARD, True)
    assert found()[IntakeCode.FACE_INSIDE].method is None


def test_ignored_requirements_are_left_out() -> None:
    policy = PortraitPolicy(changes={Component.HEAD_SIZE: RuleChange(severity=Severity.IGNORED)})
    assert set(found()) - set(found(policy)) == {Component.HEAD_SIZE}


@pytest.mark.parametrize(
    ("box", "moved", "inside"),
    [
        (Box(200, 200, 400, 500), (0, 0), 1.0),
        (Box(-100, 200, 100, 500), (0, 0), 0.5),
        # The box alone would be inside; the extent computed from the eyes is not.
        (Box(0, 200, 100, 500), (-251, 0), 0.78),
        (Box(200, 0, 400, 100), (0, -272), 0.74),
    ],
)
def test_the_smaller_share_of_box_and_reckoned_face_counts(
    box: Box, moved: tuple[float, float], inside: float
) -> None:
    face = DetectedFace(box=box, confidence=0.9, five_points=FIVE_POINTS + np.array(moved, dtype=np.float32))
    requirement = face_inside(face, image=drawn_face(), policy=POLICY)
    assert requirement.value == pytest.approx(inside, abs=0.01)
    assert requirement.refuses is (inside < 0.9)


SQUARE = ImageHeader(format=ImageFormat.JPEG, width=616, height=616, channels=3, bits_per_channel=8)
RULES = profile_rules(Profile.FACEGATE)
MEASURED = EyeCentres(left=(364, 272), right=(251, 272))


@pytest.fixture(scope="module")
def silent() -> Representation:
    """A record that declares only the size."""
    record = build_record(encode_jpeg(plain()), version=RecordVersion.ISO_19794_5_2011)
    declared = open_trusted_image(serialise(record)).representation
    assert declared is not None
    return declared


def turned(*, yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> PortraitView:
    return replace(portrait_of(plain()), pose=HeadPose(yaw=yaw, pitch=pitch, roll=roll))


def of_record(
    declared: Representation | None,
    *,
    header: ImageHeader = SQUARE,
    portrait: PortraitView | None = None,
) -> Mapping[IntakeCode, Requirement]:
    view = portrait or portrait_of(plain())
    requirements = tuple(declared_requirements(view, header=header, declared=declared, rules=RULES))
    return {IntakeCode(each.code): each for each in requirements}


class TestDeclared:
    def test_a_bare_picture_declares_nothing(self) -> None:
        assert of_record(None) == {}

    def test_a_record_that_declares_only_a_size_is_held_to_it(self, silent: Representation) -> None:
        requirements = of_record(silent)
        assert set(requirements) == {IntakeCode.DECLARED_SIZE}
        size = requirements[IntakeCode.DECLARED_SIZE]
        assert (size.measured, size.passed) == ("616 x 616 px", True)
        assert size.severity is Severity.ADVISORY

    def test_the_picture_is_believed_where_the_record_has_another_size(self, silent: Representation) -> None:
        size = of_record(replace(silent, width=337, height=449))[IntakeCode.DECLARED_SIZE]
        assert (size.measured, size.required) == ("616 x 616 px", "as declared: 337 x 449 px")
        assert size.passed is False

    def test_a_size_that_is_not_given_is_no_disagreement(self, silent: Representation) -> None:
        assert IntakeCode.DECLARED_SIZE not in of_record(replace(silent, width=None))
        assert IntakeCode.DECLARED_SIZE not in of_record(replace(silent, height=None))

    @pytest.mark.parametrize("eyes", [MEASURED, EyeCentres(left=MEASURED.right, right=MEASURED.left)])
    def test_eyes_are_where_they_are_whosever_left(self, silent: Representation, eyes: EyeCentres) -> None:
        found = of_record(replace(silent, eye_centres=eyes))[IntakeCode.DECLARED_EYE_POSITIONS]
        assert (found.passed, found.value, found.score) == (True, 0, None)

    def test_an_eye_elsewhere_is_reported_by_the_further_one(self, silent: Representation) -> None:
        off = EyeCentres(left=(364, 272 + 57), right=(251 + 10, 272))
        eyes = of_record(replace(silent, eye_centres=off))[IntakeCode.DECLARED_EYE_POSITIONS]
        assert eyes.value == pytest.approx(57 / 113)
        assert eyes.passed is False
        assert eyes.unit == "eye distances"

    def test_the_largest_difference_of_the_declared_angles_counts(self, silent: Representation) -> None:
        declared = replace(silent, pose=PoseDegrees(yaw=10, roll=-4))
        pose = of_record(declared, portrait=turned(yaw=-12, pitch=40, roll=10))[IntakeCode.DECLARED_POSE]
        # Signs are not compared, and the pitch is not declared.
        assert pose.value == pytest.approx(6)
        assert pose.passed is True
        far = of_record(declared, portrait=turned(yaw=25))[IntakeCode.DECLARED_POSE]
        assert (far.value, far.passed) == (15, False)

    def test_a_pose_that_was_not_found_is_not_compared(self, silent: Representation) -> None:
        pose = of_record(replace(silent, pose=PoseDegrees(yaw=0)), portrait=turned(yaw=180))[
            IntakeCode.DECLARED_POSE
        ]
        assert pose.passed is None

    @pytest.mark.parametrize("orientation", [3, 6, 8])
    def test_a_picture_that_is_turned_to_be_shown_is_not_compared(
        self, silent: Representation, orientation: int
    ) -> None:
        header = replace(SQUARE, orientation=orientation)
        declared = replace(silent, eye_centres=MEASURED, pose=PoseDegrees(yaw=0, pitch=0, roll=0))
        found = of_record(declared, header=header, portrait=turned(roll=90))
        for code in (IntakeCode.DECLARED_EYE_POSITIONS, IntakeCode.DECLARED_POSE):
            assert (found[code].passed, found[code].value) == (None, None)
            assert "EXIF" in found[code].unassessed
        assert of_record(declared, portrait=turned(roll=90))[IntakeCode.DECLARED_POSE].passed is False

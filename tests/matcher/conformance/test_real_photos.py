"""The measures on real photos, with results that a person can verify by eye."""

import csv
from collections import Counter
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, Profile, Requirement, RequirementCode
from matcher.portrait import examine_portrait
from matcher.portrait_report import PortraitPolicy, PortraitReport
from matcher.records import RecordMetadata, RecordVersion, build_record, serialise, wrap_in_dg2
from tests.vision.decoders import decoders
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack
from vision.packs.loading import load_folder_pack

_ADAMS = "cmusatyalab__images__examples__adams.jpg"
_GRINNING = "ageitgey__examples__knn_examples__test__alex_lacamoire1.jpg"
_SUNGLASSES = "vladmandic__samples__in__person-vlado5.jpg"
_SHUT = "vladmandic__samples__in__stock-emotions-b-1.jpg"
_GAPING = "justadudewhoha__examples__images__surprised.jpg"
_LEANING = "vladmandic__samples__in__person-christina.jpg"
_TWO = "ageitgey__examples__two_people.jpg"
_PASSPORT = "E3V3A__abandoned__passporthostapi-test__samples__loes2006__ef0102.bin"


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return load_folder_pack("open", assets / "models", runtime=RuntimeOptions())


@pytest.fixture(scope="module")
def report_of(pack: Pack, assets: Path) -> Callable[[str, Profile], PortraitReport]:
    """The report of a file under ``data``, made once."""

    @cache
    def report(file: str, profile: Profile) -> PortraitReport:
        return examine_portrait(
            (assets / "data" / file).read_bytes(),
            pack=pack,
            policy=PortraitPolicy(profile=profile),
            still_decoder=decoders(),
        )

    return report


def of(report: PortraitReport, code: RequirementCode) -> Requirement:
    return next(each for each in report.requirements if each.code is code)


# Photo, component, native measure and tolerance (landmarks differ slightly between machines), and whether the
# default policy accepts it.
_EXPECTED = [
    (_ADAMS, Component.INTER_EYE_DISTANCE, 152, 8, True),
    (_ADAMS, Component.HEAD_SIZE, 0.25, 0.02, False),
    (_ADAMS, Component.LEFTWARD_CROP, 2.5, 0.2, True),
    (_ADAMS, Component.RIGHTWARD_CROP, 2.1, 0.2, True),
    (_ADAMS, Component.MARGIN_ABOVE, 1.31, 0.1, False),
    (_ADAMS, Component.MARGIN_BELOW, 2.68, 0.15, True),
    (_ADAMS, Component.HEAD_POSE_YAW, 0, 3, True),
    (_ADAMS, Component.HEAD_POSE_PITCH, -2, 3, True),
    (_ADAMS, Component.HEAD_POSE_ROLL, 6.4, 2, True),
    (_ADAMS, Component.EYES_OPEN, 0.096, 0.015, True),
    (_ADAMS, Component.MOUTH_CLOSED, 0.002, 0.01, True),
    (_ADAMS, Component.EYES_VISIBLE, 0.74, 0.1, True),
    (_ADAMS, Component.EXPRESSION_NEUTRALITY, 0.02, 0.2, True),
    (_ADAMS, Component.SINGLE_FACE_PRESENT, 0, 0, True),
    (_ADAMS, IntakeCode.HEAD_POSITION_ACROSS, 0.53, 0.015, True),
    (_ADAMS, IntakeCode.HEAD_POSITION_DOWN, 0.33, 0.02, True),
    (_GRINNING, Component.EXPRESSION_NEUTRALITY, 2.5, 0.4, False),
    (_GRINNING, Component.MOUTH_CLOSED, 0.086, 0.02, True),
    (_GAPING, Component.MOUTH_CLOSED, 0.224, 0.03, False),
    (_GAPING, Component.EXPRESSION_NEUTRALITY, 2.2, 0.4, False),
    (_GAPING, Component.HEAD_POSE_YAW, 9.5, 3, False),
    (_SHUT, Component.EYES_OPEN, 0.004, 0.008, False),
    (_SUNGLASSES, Component.EYES_VISIBLE, -0.04, 0.1, False),
    (_LEANING, Component.HEAD_POSE_ROLL, -38, 4, False),
    (_LEANING, Component.HEAD_POSE_PITCH, 18, 5, False),
    (_TWO, Component.SINGLE_FACE_PRESENT, 0.95, 0.06, False),
    (_TWO, IntakeCode.FACE_COUNT, 2, 0, False),
]


@pytest.mark.parametrize("row", _EXPECTED, ids=lambda row: f"{row[1]} of {row[0]}")
def test_a_photo_measures_as_expected(
    report_of: Callable[[str, Profile], PortraitReport], row: tuple[str, RequirementCode, float, float, bool]
) -> None:
    name, code, expected, tolerance, passed = row
    found = of(report_of(f"faces/{name}", Profile.FACEGATE), code)
    assert found.value == pytest.approx(expected, abs=tolerance)
    assert found.passed is passed


def test_a_passport_photo_meets_full_frontal(
    report_of: Callable[[str, Profile], PortraitReport],
) -> None:
    report = report_of(f"iso/{_PASSPORT}", Profile.ISO_FULL_FRONTAL)
    assert report.container == "ISO/IEC 19794-5:2005 in ICAO DG2"
    assert report.media_type == "image/jp2"
    assert [each.code for each in report.requirements if each.refuses] == []
    assert of(report, IntakeCode.DECLARED_SIZE).passed is True


def test_a_photo_in_a_record_measures_as_it_does_alone(pack: Pack, assets: Path) -> None:
    """The record's declared values are compared with it."""
    photo = (assets / "data" / "faces" / _ADAMS).read_bytes()
    policy = PortraitPolicy()
    alone = examine_portrait(photo, pack=pack, policy=policy)
    record = serialise(build_record(photo, version=RecordVersion.ISO_19794_5_2005, metadata=RecordMetadata()))
    wrapped = examine_portrait(wrap_in_dg2([record]), pack=pack, policy=policy)
    assert wrapped.container == "ISO/IEC 19794-5:2005 in ICAO DG2"
    sizes = {IntakeCode.FILE_SIZE, IntakeCode.DECLARED_SIZE}
    found, expected = (
        [
            (each.code, each.measured, each.passed, each.score)
            for each in report.requirements
            if each.code not in sizes
        ]
        for report in (wrapped, alone)
    )
    assert found == expected
    assert of(wrapped, IntakeCode.DECLARED_SIZE).passed is True


def degraded(image: BgrImage, what: str) -> BgrImage:
    """A copy with something wrong, about the eyes at (422, 350) and 152 pixels apart."""
    match what:
        case "leaning":
            turn = cv2.getRotationMatrix2D((422, 350), -20, 1)
            return cv2.warpAffine(image, turn, (image.shape[1], image.shape[0])).astype(np.uint8)
        case "smaller":
            half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            return half.astype(np.uint8)
        case "cropped above":
            return np.ascontiguousarray(image[200:])
        case "cropped on the left":
            return np.ascontiguousarray(image[:, 310:])
    raise ValueError(what)


@pytest.mark.parametrize(
    ("what", "worse", "same"),
    [
        (
            "leaning",
            {Component.HEAD_POSE_ROLL},
            {Component.HEAD_SIZE, Component.EYES_OPEN, Component.INTER_EYE_DISTANCE},
        ),
        (
            "smaller",
            {Component.INTER_EYE_DISTANCE},
            {Component.HEAD_SIZE, Component.MARGIN_ABOVE, Component.HEAD_POSE_ROLL, Component.EYES_VISIBLE},
        ),
        (
            "cropped above",
            {Component.MARGIN_ABOVE},
            {Component.INTER_EYE_DISTANCE, Component.MARGIN_BELOW, Component.MOUTH_CLOSED},
        ),
        (
            "cropped on the left",
            {Component.LEFTWARD_CROP},
            {Component.INTER_EYE_DISTANCE, Component.RIGHTWARD_CROP, Component.HEAD_SIZE},
        ),
    ],
)
def test_a_fault_lowers_its_own_score_and_no_other(
    pack: Pack, assets: Path, what: str, worse: set[Component], same: set[Component]
) -> None:
    image = cv2.imread(str(assets / "data" / "faces" / _ADAMS))
    assert image is not None
    policy = PortraitPolicy()
    good = examine_portrait(encode_jpeg(image.astype(np.uint8), 95), pack=pack, policy=policy)
    bad = examine_portrait(encode_jpeg(degraded(image.astype(np.uint8), what), 95), pack=pack, policy=policy)
    for code in worse:
        before, after = of(good, code).score, of(bad, code).score
        assert before is not None
        assert after is not None
        assert after < before - 3, code
    for code in same:
        assert of(bad, code).score == pytest.approx(of(good, code).score, abs=6), code


@pytest.mark.slow
def test_smiles_are_distinguished_from_neutral_faces(pack: Pack, assets: Path) -> None:
    """The counts of docs/trusted_images.md: plain cases only, judged by eye."""
    lines = (files("research.feature_measures") / "expressions.csv").read_text("utf-8").splitlines()
    labels = [(row["file"], row["expression"]) for row in csv.DictReader(lines)]
    seen, poor = Counter[str](), Counter[str]()
    for name, label in labels:
        image = cv2.imread(str(assets / "data" / "faces" / name))
        assert image is not None
        # Encoded anew: one is a WebP with the name of a JPEG, some are above 2 MB.
        data = encode_jpeg(image.astype(np.uint8), 90)
        report = examine_portrait(data, pack=pack, policy=PortraitPolicy(max_bytes=50_000_000))
        score = of(report, Component.EXPRESSION_NEUTRALITY).score
        if score is not None:
            seen[label] += 1
            poor[label] += score < 50
    assert (seen["smile"], seen["neutral"], seen["other"]) == (62, 72, 22)
    assert poor["smile"] >= 60
    assert poor["neutral"] <= 2
    assert 5 <= poor["other"] <= 14

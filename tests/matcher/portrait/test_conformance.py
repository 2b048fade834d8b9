"""Requirements on a portrait: those that refuse, and those that are reported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from matcher.conformance.interface import Component
from matcher.conformance.requirement import IntakeCode, Profile, Severity
from matcher.errors import RefusalReason, TrustedImageRefused
from matcher.portrait import accept_portrait, examine_portrait
from matcher.portrait_report import PortraitPolicy, RuleChange
from tests.matcher.portrait.portraits import POLICY, ZUCKERBERG, png, refusal
from vision.packs import Pack


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

    def test_ignored_requirements_are_not_reported(self, embedded: Pack, faces: Path) -> None:
        data = (faces / ZUCKERBERG.format(1)).read_bytes()
        policy = PortraitPolicy(changes={Component.SHARPNESS: RuleChange(severity=Severity.IGNORED)})
        report = accept_portrait(data, pack=embedded, policy=policy).report
        assert Component.SHARPNESS not in {each.code for each in report.requirements}

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

    def test_without_landmarks_their_requirements_are_not_assessed(
        self, insightface: Pack, faces: Path
    ) -> None:
        report = accept_portrait(
            (faces / ZUCKERBERG.format(1)).read_bytes(), pack=insightface, policy=POLICY
        ).report
        found = {each.code: each for each in report.requirements}
        assert found[Component.MOUTH_CLOSED].passed is None
        assert found[Component.HEAD_POSE_YAW].passed is not None

from dataclasses import replace

import cv2
import numpy as np
import pytest

from attempt.stills import (
    judge_still,
    landmarks_of,
    measure_still,
    observe_still,
    pad_scores,
    persons_in,
    sample_of,
)
from liveness.fusion_model import load_fusion_model
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import Verdict, VerdictReason
from matcher.persons import PHOTO_SUBJECT
from tests.attempt.networks import CountingNetwork
from tests.server.analysis.uploads import blank, genuine, two_persons
from tests.server.models_once import remembering_pack
from vision.face import BgrImage, DetectedFace, HeadPose
from vision.packs import Pack


class _Shown:
    """A detector that records its inputs."""

    def __init__(self, pack: Pack) -> None:
        self.sizes: list[tuple[int, int]] = []
        self._detector = pack.detector

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        self.sizes.append((image.shape[1], image.shape[0]))
        return self._detector.detect(image)


def test_the_faces_of_a_large_picture_are_found_in_a_small_copy_and_given_at_full_size() -> None:
    pack = remembering_pack()
    small = genuine()[0]
    large = np.asarray(cv2.resize(small, None, fx=5, fy=5, interpolation=cv2.INTER_CUBIC), np.uint8)
    shown = _Shown(pack)
    (face,) = persons_in(large, replace(pack, detector=shown), rule=PHOTO_SUBJECT)
    assert shown.sizes == [(900, 1200)]
    (expected,) = persons_in(small, pack, rule=PHOTO_SUBJECT)
    assert face.box.width == pytest.approx(5 * expected.box.width, rel=0.1)
    assert face.five_points / 5 == pytest.approx(expected.five_points, abs=0.04 * expected.box.width)


def test_small_pictures_are_shown_as_they_are() -> None:
    shown = _Shown(remembering_pack())
    assert len(persons_in(genuine()[0], replace(remembering_pack(), detector=shown), rule=PHOTO_SUBJECT)) == 1
    assert shown.sizes == [(360, 480)]


def test_no_model_is_asked_about_a_speck() -> None:
    shown = _Shown(remembering_pack())
    assert (
        persons_in(
            np.zeros((63, 4000, 3), np.uint8), replace(remembering_pack(), detector=shown), rule=PHOTO_SUBJECT
        )
        == ()
    )
    assert shown.sizes == []


@pytest.mark.parametrize("shape", [(64, 16_384), (16_384, 65), (127, 3000), (129, 6400)])
def test_a_strip_is_not_halved_away(shape: tuple[int, int]) -> None:
    shown = _Shown(remembering_pack())
    strip = np.full((*shape, 3), 90, np.uint8)
    assert persons_in(strip, replace(remembering_pack(), detector=shown), rule=PHOTO_SUBJECT) == ()
    assert min(shown.sizes[0]) >= 64


def test_persons_are_counted() -> None:
    assert len(persons_in(two_persons()[0], remembering_pack(), rule=PHOTO_SUBJECT)) == 2
    assert persons_in(blank()[0], remembering_pack(), rule=PHOTO_SUBJECT) == ()


def test_landmarks_decide_whether_a_frame_is_compared_and_not_an_estimate() -> None:
    pack = remembering_pack()
    pixels = genuine()[0]
    (face,) = persons_in(pixels, pack, rule=PHOTO_SUBJECT)
    observation = observe_still(pixels, faces=(face,), landmarks=None, index=0, capture_time=0.0)
    estimated = replace(observation, pose=HeadPose(yaw=0.0, pitch=40.0, roll=0.0))
    assert sample_of(pixels, face, estimated, pack).comparable
    assert not sample_of(pixels, face, estimated, replace(pack, landmarker=None)).comparable
    assert not sample_of(pixels, face, replace(estimated, yaw=0.0), pack).comparable


def test_models_that_the_pack_lacks_are_not_called() -> None:
    pack = replace(remembering_pack(), landmarker=None, pad_networks=())
    pixels = genuine()[0]
    (face,) = persons_in(pixels, pack, rule=PHOTO_SUBJECT)
    assert landmarks_of(pixels, face, pack) is None
    assert pad_scores(pixels, face, pack, frame_index=3) == ()
    observation = observe_still(pixels, faces=(face,), landmarks=None, index=2, capture_time=0.5)
    assert (observation.index, observation.capture_time, observation.faces) == (2, 0.5, 1)
    assert observation.eyes is None
    assert observation.pose is not None


def test_each_network_is_asked_about_the_face() -> None:
    class Half:
        name = "half"

        def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
            return 0.5

    pack = replace(remembering_pack(), pad_networks=(Half(), Half()))
    (face,) = persons_in(genuine()[0], pack, rule=PHOTO_SUBJECT)
    scores = pad_scores(genuine()[0], face, pack, frame_index=3)
    assert [(score.frame_index, score.network, score.real_probability) for score in scores] == [
        (3, "half", 0.5)
    ] * 2


@pytest.mark.parametrize(("real", "verdict"), [(0.999, Verdict.LIVE), (0.001, Verdict.SPOOF)])
def test_the_networks_decide_on_one_image(real: float, verdict: Verdict) -> None:
    network = CountingNetwork("minifas_v2se", real=real)
    pack = replace(remembering_pack(), pad_networks=(network,))
    (face,) = persons_in(genuine()[0], pack, rule=PHOTO_SUBJECT)
    landmarks = landmarks_of(genuine()[0], face, pack)
    measured = measure_still(genuine()[0], face, landmarks=landmarks, pack=pack)
    assert (network.asked, len(measured.cues)) == (1, 1)
    # A minimum of frames or seconds does not apply, although the policy is that of a scan.
    judged = judge_still(measured, policy=LivenessPolicy(), fusion=load_fusion_model())
    assert judged.verdict is verdict
    assert judged.policy.capture is CaptureKind.FRAME


@pytest.mark.parametrize("real", [0.999, 0.001])
def test_the_networks_do_not_decide_on_a_grey_image(real: float) -> None:
    pack = replace(remembering_pack(), pad_networks=(CountingNetwork("minifas_v2se", real=real),))
    grey = cv2.cvtColor(cv2.cvtColor(genuine()[0], cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    pixels = np.asarray(grey, np.uint8)
    (face,) = persons_in(pixels, pack, rule=PHOTO_SUBJECT)
    measured = measure_still(pixels, face, landmarks=landmarks_of(pixels, face, pack), pack=pack)
    judged = judge_still(measured, policy=LivenessPolicy(), fusion=load_fusion_model())
    assert judged.verdict is Verdict.INCONCLUSIVE
    assert judged.reasons[0] is VerdictReason.NO_COLOURS

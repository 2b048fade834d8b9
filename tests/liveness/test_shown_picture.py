"""A scan that shows the trusted image itself, or one picture that is moved, is found; a person is not."""

import functools
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.shown_picture import (
    PictureFinding,
    ReferenceFace,
    TrustedFace,
    find_moved_picture,
    find_trusted_image,
    with_picture,
)
from liveness.verdict import LivenessResult, Verdict, VerdictReason, not_assessed
from simulator.warped_photo import bulge, warp_photo
from tests.liveness.builders import observation
from tests.packs import real_photo
from vision.face import BgrImage, Box, DetectedFace
from vision.geometry import FaceChip, cut_chip

_SIGNAL = not_assessed(name="one_picture", label="", reason="")


@functools.cache
def _photo() -> tuple[BgrImage, DetectedFace]:
    photo = real_photo("astronaut")
    marks = photo.landmarks
    five = np.stack([*photo.eye_centres, marks[30], marks[48], marks[54]]).astype(np.float32)
    left, top = marks.min(axis=0).tolist()
    right, bottom = marks.max(axis=0).tolist()
    return photo.pixels, DetectedFace(Box(left, top, right, bottom), 1.0, five)


def _chip(picture: BgrImage) -> FaceChip:
    return cut_chip(np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8), _photo()[1])


@functools.cache
def _warped() -> tuple[FaceChip, ...]:
    picture, face = _photo()
    x, y = face.box.centre
    place = (x, y, face.box.width)
    frames = warp_photo(
        picture,
        place,
        bulge(picture, place, strength=0.03, seed=1),
        noise=2.0,
        rate=2.0,
        seconds=5.0,
        seed=1,
    )
    return tuple(_chip(frame.pixels) for frame in frames)


def _changed(chip: FaceChip, seed: int) -> FaceChip:
    """A chip whose eyes and mouth show something else, as a person's do."""
    rng = np.random.default_rng(seed)
    changed = chip.copy()
    for rows, columns in ((slice(34, 52), slice(14, 82)), (slice(84, 104), slice(26, 70))):
        part = rng.normal(0, 1, changed[rows, columns].shape)
        drawn = changed[rows, columns] + 400 * cv2.GaussianBlur(part, (0, 0), 3)
        changed[rows, columns] = np.clip(drawn, 0, 255).astype(np.uint8)
    return changed


def _scan(chips: Sequence[FaceChip]) -> ScanObservations:
    frames = tuple(replace(observation(at), chip=chip) for at, chip in enumerate(chips))
    return ScanObservations(frames=frames, motion=())


def test_a_warped_picture_shows_nothing_new_and_another_picture_does() -> None:
    first, *others = _warped()
    reference = ReferenceFace(first)
    assert float(np.median([reference.change(chip).new for chip in others])) < 0.05
    assert max(reference.change(chip).bend for chip in others) > 0.01
    assert reference.change(_changed(first, 1)).new > 0.5


def test_one_picture_that_a_script_warps_is_found() -> None:
    found = find_moved_picture(_scan(_warped()))
    assert found.possible
    assert found.signal.passed is False


def test_a_face_that_changes_while_it_moves_is_no_picture() -> None:
    found = find_moved_picture(_scan([_changed(chip, at) for at, chip in enumerate(_warped())]))
    assert not found.possible
    assert not found.certain
    assert found.signal.passed is True


def test_a_face_that_neither_moves_nor_changes_is_never_certain_to_be_a_picture() -> None:
    found = find_moved_picture(_scan([_warped()[0]] * 8))
    assert found.possible
    assert not found.certain


def test_too_few_faces_are_not_compared() -> None:
    few = _scan(_warped()[:3])
    trusted = TrustedFace(_warped()[0], document=True)
    for found in (find_moved_picture(few), find_trusted_image(few, trusted)):
        assert not found.signal.assessed
        assert not found.possible


def test_the_trusted_image_is_a_doubt_and_certain_only_of_a_document() -> None:
    chip = _chip(_photo()[0])
    shown = _scan(_warped())
    selfie = find_trusted_image(shown, TrustedFace(chip, document=False))
    assert (selfie.possible, selfie.certain) == (True, False)
    document = find_trusted_image(shown, TrustedFace(chip, document=True))
    assert (document.possible, document.certain) == (True, True)
    other = find_trusted_image(shown, TrustedFace(_changed(chip, 9), document=True))
    assert (other.possible, other.certain) == (False, False)


def test_without_the_pixels_of_the_trusted_image_nothing_is_assessed() -> None:
    found = find_trusted_image(_scan(_warped()), None)
    assert not found.signal.assessed
    assert not found.possible


def _result(verdict: Verdict, reason: VerdictReason) -> LivenessResult:
    score = {Verdict.LIVE: 95.0, Verdict.SPOOF: 5.0, Verdict.INCONCLUSIVE: 50.0}[verdict]
    return LivenessResult(
        verdict=verdict, score=score, policy=LivenessPolicy(), signals=(), reasons=(reason,)
    )


def _found(*, certain: bool = False) -> PictureFinding:
    return PictureFinding(_SIGNAL, VerdictReason.ONE_PICTURE_MOVED, possible=True, certain=certain)


def test_a_possible_picture_turns_live_into_a_doubt() -> None:
    live = _result(Verdict.LIVE, VerdictReason.LOOKS_ALIVE)
    doubted = with_picture(live, _found(), doubts=True)
    assert doubted.verdict is Verdict.INCONCLUSIVE
    assert doubted.reasons == (VerdictReason.ONE_PICTURE_MOVED,)
    assert doubted.signals == (_SIGNAL,)
    resolved = with_picture(live, _found(), doubts=False)
    assert (resolved.verdict, resolved.reasons) == (Verdict.LIVE, live.reasons)


def test_a_possible_picture_never_makes_a_spoof() -> None:
    weak = _result(Verdict.INCONCLUSIVE, VerdictReason.TOO_SHORT)
    found = with_picture(weak, _found(), doubts=True)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reasons == (VerdictReason.TOO_SHORT, VerdictReason.ONE_PICTURE_MOVED)


@pytest.mark.parametrize("verdict", [Verdict.LIVE, Verdict.INCONCLUSIVE, Verdict.SPOOF])
def test_a_certain_picture_is_a_spoof(verdict: Verdict) -> None:
    found = with_picture(_result(verdict, VerdictReason.TOO_SHORT), _found(certain=True), doubts=False)
    assert found.verdict is Verdict.SPOOF
    assert found.reasons[0] is VerdictReason.ONE_PICTURE_MOVED

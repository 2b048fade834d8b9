"""Whole scans at the size and rate of the demo, in which few frames a step make errors last."""

from pathlib import Path

import numpy as np
import pytest

from attempt import AttemptCapture, CapturePlan, Feedback, FlashRun, FrameAnalyst, FrameLimits
from liveness import Gesture, GuidanceSettings, Oval
from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.policy import ChallengeFinding, DynamicPolicy
from liveness.verdict import VerdictReason
from matcher import SCAN_SUBJECT
from research.dynamic.drive import CLOCKS_APART, Link, VirtualPhone, _Record, drive_scan
from simulator import (
    AmbientPreset,
    AmbientSettings,
    AppGuide,
    FlashKind,
    FlashScanSettings,
    PhoneSettings,
    Photo,
    ScreenLight,
)
from simulator.app_guide import RestingFace
from simulator.photo import builtin_photos
from tests.packs import real_pack, shared_pack
from vision.packs import Pack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"open:{assets / 'models'}")


@pytest.fixture(scope="module")
def photos() -> dict[str, Photo]:
    pack = real_pack()
    return builtin_photos(
        detector=pack.detector, landmarker=pack.landmarker, names=("astronaut", "long-hair")
    )


def _judged(kind: FlashKind, photo: Photo, seed: int, pack: Pack) -> FlashResult:
    return _driven(FlashScanSettings(kind=kind, seed=seed, frames_per_second=15.0), photo, seed, pack)


def _driven(
    settings: FlashScanSettings, photo: Photo, drawn: int, pack: Pack, *, round_trip: float = 0.05
) -> FlashResult:
    model = load_flash_model()
    trace = drive_scan(
        photo,
        settings,
        pack=pack,
        policy=DynamicPolicy(),
        model=model,
        link=Link(round_trip=round_trip),
        rng=np.random.default_rng(drawn),
    )
    return judge_flash(samples=trace.samples, revealed=trace.revealed, model=model)


@pytest.mark.parametrize("seed", [0, 7, 23])
def test_a_tint_is_no_face_however_the_head_moves(photos: dict[str, Photo], pack: Pack, seed: int) -> None:
    """In 7 and 23 the head's motion correlates with the colours, and makes the tint uneven."""
    found = _judged(FlashKind.INJECTED_TINT, photos["astronaut"], seed, pack)
    assert found.finding in {ChallengeFinding.WRONG, ChallengeFinding.NOT_MEASURABLE}
    (overlay,) = (one for one in found.signals if one.name == "flash_overlay")
    assert overlay.passed is False, overlay.detail


@pytest.mark.parametrize("drawn", [3, 21])
def test_a_recording_is_none_however_much_its_background_flashes(
    photos: dict[str, Photo], pack: Pack, drawn: int
) -> None:
    """In the dark a near wall flashes as the face does, and must not count as the camera's gains."""
    settings = FlashScanSettings(
        kind=FlashKind.RECORDED_SCAN, seed=5, ambient=AmbientSettings(preset=AmbientPreset.DARK)
    )
    found = _driven(settings, photos["astronaut"], drawn, pack)
    assert found.finding is not ChallengeFinding.RIGHT
    assert found.verified_bits < 5


@pytest.mark.parametrize("name", ["astronaut", "long-hair"])
def test_a_person_is_a_face(photos: dict[str, Photo], pack: Pack, name: str) -> None:
    found = [_judged(FlashKind.GENUINE, photos[name], seed, pack).finding for seed in (100, 102, 104, 106)]
    assert found.count(ChallengeFinding.RIGHT) >= 3
    assert ChallengeFinding.WRONG not in found


@pytest.mark.parametrize(("round_trip", "late"), [(0.3, False), (0.9, True)])
def test_a_network_that_is_too_slow_proves_nothing_and_is_no_attack(
    photos: dict[str, Photo], pack: Pack, round_trip: float, late: bool
) -> None:
    """Of a round trip of 0.9 s, 0.6 s count for the age of every answer, which is late from 0.45 s on."""
    settings = FlashScanSettings(
        kind=FlashKind.GENUINE, seed=100, ambient=AmbientSettings(preset=AmbientPreset.DARK)
    )
    found = _driven(settings, photos["astronaut"], 3, pack, round_trip=round_trip)
    right = {step.number for step in found.steps if step.agrees}
    assert len(right) >= 4
    if late:
        assert (found.finding, found.reason) == (
            ChallengeFinding.NOT_MEASURABLE,
            VerdictReason.CHALLENGE_ANSWERED_LATE,
        )
        assert right <= found.late
        assert found.verified_bits == 0
    else:
        assert not found.late
        assert found.verified_bits >= 12


@pytest.mark.parametrize("with_frame", [False, True])
@pytest.mark.parametrize("gesture", Gesture)
def test_the_person_hears_the_requests_for_gestures(pack: Pack, gesture: Gesture, with_frame: bool) -> None:
    asked, record = Feedback(gesture.value, 1.0, 7), _record(pack)
    record.took(None, CLOCKS_APART, Feedback("HOLD_STILL", 1.0, 6))
    assert not _moves(record.phone.person)
    if with_frame:
        record.took(None, CLOCKS_APART + 1, asked)
    else:
        record.hear(asked, CLOCKS_APART + 1)
    assert _moves(record.phone.person)
    assert list(record.hints) == [gesture]


def _record(pack: Pack) -> _Record:
    random = np.random.default_rng(1).bytes
    run = FlashRun.drawn(random, model=load_flash_model(), limits=DynamicPolicy())
    capture = AttemptCapture(
        analyst=FrameAnalyst(pack=pack, limits=FrameLimits()),
        plan=CapturePlan(),
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=random,
        subject=SCAN_SUBJECT,
        challenge=run,
    )
    light = ScreenLight(PhoneSettings())
    phone = VirtualPhone(
        light=light, frames=iter(()), one_way=0.0, person=AppGuide(), face_width=0.5, claimed_late=0.0
    )
    return _Record(capture, run, phone)


def _moves(person: AppGuide) -> bool:
    face = RestingFace(width=0.5, outline_width=0.5, x=0.5, y=0.5, frame=(480, 640))
    times = [step / 10 for step in range(60)]
    return any(person.opening(time) > 0 or person.placement(time, face=face).yaw for time in times)

"""Writes the results of an attempt for every frame of many scans, and compares two such files.

Run it before and after a change that must not change a judgement::

    python -m tests.attempt.equality scan --assets shared --out before.jsonl
    python -m tests.attempt.equality compare before.jsonl after.jsonl
"""

import argparse
import dataclasses
import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, StrEnum
from functools import partial
from hashlib import sha256
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.challenge import Action, Feedback, PauseCapture
from attempt.flash_run import FlashRun
from attempt.frame import Frame, FrameLimits
from attempt.judgement import evidence_of, judge_attempt
from attempt.movement_run import MovementRun
from attempt.placement import CapturePlan
from formats.exposure import ExposureClaim
from lab.simulator import (
    AppGuide,
    FlashScanSettings,
    Geometry,
    Photo,
    ScanKind,
    SceneSettings,
    ScreenLight,
    SimulatedFrame,
    simulate_flash_scan,
    simulate_scan,
)
from lab.simulator.photo import builtin_photo_names, builtin_photos
from lab.studies.dynamic.cases import all_cases, claimed_late
from lab.studies.dynamic.cases import settings_of as flash_settings
from lab.studies.dynamic.drive import CLOCKS_APART, USUAL_WIDTH, VirtualPhone
from lab.studies.dynamic.virtual_time import Turn, sent_frame, turns
from lab.studies.scan_match.clips import ClipError, SentFrame, read_recording
from liveness.dynamic.challenge import MoveOval, Reveal
from liveness.dynamic.model import FlashModel, load_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.extent import face_extent
from liveness.fusion_model import load_fusion_model
from liveness.guidance import GuidanceSettings, HintCode, Oval
from liveness.policy import LivenessPolicy
from matcher.comparison import MatchPolicy
from matcher.persons import SCAN_SUBJECT
from tests.attempt.approaches import Approacher
from tests.attempt.approaches import Case as MovementCase
from tests.attempt.approaches import settings_of as movement_settings
from vision.face import BgrImage
from vision.image import encode_jpeg
from vision.packs import Pack, Template, load_pack

# The results of an attempt as JSON lines that can be compared byte for byte.

_DECIMALS: Final = 6


def line(scan: str, what: str, values: Mapping[str, Any]) -> str:
    """One line of a file to compare.

    Args:
        scan: The scan's name.
        what: The part of the scan, such as ``frame 12``.
        values: The values; numbers are rounded, and arrays and bytes are replaced by their hash.
    """
    return json.dumps({"scan": scan, "what": what, **{name: _plain(one) for name, one in values.items()}})


def differences(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """The lines in which two files differ, and the values in them; empty if the files are equal."""
    first, second = _by_place(before), _by_place(after)
    found = [f"{' '.join(place)}: only before" for place in first if place not in second]
    found += [f"{' '.join(place)}: only after" for place in second if place not in first]
    for place, values in first.items():
        others = second.get(place, values)
        changed = [name for name in {**values, **others} if values.get(name) != others.get(name)]
        found += [f"{' '.join(place)}: {name}: {values.get(name)} -> {others.get(name)}" for name in changed]
    return found


def _by_place(lines: Iterable[str]) -> dict[tuple[str, str], dict[str, Any]]:
    rows = (json.loads(one) for one in lines)
    return {(row["scan"], row["what"]): row for row in rows}


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | str() if not isinstance(value, Enum):
            return value
        case Enum():
            return value.name
        case int():
            return value
        case float() | np.floating():
            return round(float(value), _DECIMALS) + 0.0
        case np.generic():
            return _plain(value.item())
        case bytes():
            return sha256(value).hexdigest()[:16]
        case ExposureClaim():
            return {
                "exposure_seconds": _plain(value.exposure_seconds),
                "iso": value.iso or None,
                "white_balance_kelvin": value.white_balance_kelvin or None,
                "exposure_locked": value.exposure_locked,
                "white_balance_locked": value.white_balance_locked,
                "readout_seconds": _plain(value.readout_seconds),
            }
        case np.ndarray():
            rounded = np.round(value.astype(np.float64), _DECIMALS) + 0.0
            return f"{value.shape} {sha256(np.ascontiguousarray(rounded).tobytes()).hexdigest()[:16]}"
        case Mapping():
            return {str(name): _plain(one) for name, one in value.items()}
        case _ if dataclasses.is_dataclass(value):
            return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        case Iterable():
            return [_plain(one) for one in value]
        case _:
            raise TypeError(f"{type(value)} cannot be compared")


# The scans that are driven: recorded clips, and simulated persons and attackers in both modes.

ONE_WAY: Final = 0.025
"""Seconds between phone and server."""
_QUALITY: Final = 88
_FOLDERS: Final = ("video", "video_more")
_FLASH_SECONDS: Final = 20.0
_SMALLEST_SIDE: Final = 200
_SEEDS: Final = 5
_PERSON: Final = "0a1b2c3d4e5f"
_TURNED: Final = 90


class Asked(StrEnum):
    """The challenge of a scan."""

    NOTHING = "NOTHING"
    FLASH = "FLASH"
    MOVEMENT = "MOVEMENT"


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """A frame as it is sent.

    Attributes:
        time: Seconds of the device's clock.
        jpeg: The image.
        width: Of the image.
        height: Of the image.
        rotation_degrees: Clockwise rotation that makes it upright, as its header states.
        exposure: The camera's exposure metadata of it.
    """

    time: float
    jpeg: bytes
    width: int
    height: int
    rotation_degrees: int = 0
    exposure: ExposureClaim | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One scan.

    Attributes:
        name: Distinct.
        frames: As they are sent; those of a simulated phone are rendered on demand.
        phone: The simulated phone that receives actions; ``None`` for a recording.
    """

    name: str
    asked: Asked
    frames: Iterator[Coded] = field(repr=False)
    portrait: BgrImage
    phone: VirtualPhone | None = None
    seed: int = 0


def clip_scans(assets: Path, *, seconds: float, most: int) -> Iterator[Recorded]:
    """Windows of every clip, the second of them rotated as a phone's camera delivers it.

    Args:
        assets: Holds the folders of clips.
        seconds: Length of a window.
        most: Maximum number of windows of a clip.
    """
    for folder in _FOLDERS:
        for path in sorted((assets / "data" / folder).glob("*/*")):
            try:
                recording = read_recording(path, seconds=seconds, most=most)
            except ClipError:
                continue
            if min(recording.scans[0][0].pixels().shape[:2]) < _SMALLEST_SIDE:
                continue
            for number, sent in enumerate(recording.scans):
                portrait = (recording.portraits or sent)[0].pixels()
                turns = _TURNED if number == 1 else 0
                # A third scan is rotated and its header does not state it: no upright face is detected.
                says = 0 if number == 2 and len(sent) % 3 == 0 else turns
                turned = turns or (_TURNED if number == 2 and len(sent) % 3 == 0 else 0)
                yield Recorded(
                    f"clip/{path.parent.name}/{path.stem}/{seconds:g}/{number}",
                    Asked.NOTHING,
                    (_turned(frame, turned, says=says) for frame in sent),
                    portrait,
                )


def simulated_scans() -> Iterator[Recorded]:
    """Simulated persons and attackers without a challenge."""
    for name in builtin_photo_names():
        photo = builtin_photos(names=(name,))[name]
        for kind in ScanKind:
            for seed in range(_SEEDS):
                settings = SceneSettings(kind=kind, seed=seed, seconds=5.0, frames_per_second=12.0 + 3 * seed)
                yield Recorded(
                    f"simulated/{kind}/{name}/{seed}",
                    Asked.NOTHING,
                    (_coded(frame) for frame in simulate_scan(photo, settings)),
                    photo.pixels,
                )


def challenge_scans(pack: Pack, *, flashes: int, movements: int) -> Iterator[Recorded]:
    """Simulated scans of a phone that shows colours or ovals.

    Args:
        pack: Finds the landmarks of the photos.
        flashes: Number of scans that show colours.
        movements: Number of scans that show ovals.
    """
    photos = builtin_photos(detector=pack.detector, landmarker=pack.landmarker)
    for case in islice(all_cases(list(photos), turns=1), flashes):
        settings = flash_settings(case, width=240, height=320, rate=15.0)
        settings = replace(settings, seconds=_FLASH_SECONDS)
        phone = _phone(photos[case.person], settings, claimed_late=claimed_late(case, settings))
        seed = int.from_bytes(hashlib.sha256(case.name.encode()).digest()[:4], "big")
        yield Recorded(
            f"flash/{case.name}",
            Asked.FLASH,
            _sent_by(phone),
            photos[case.person].pixels,
            phone,
            seed,
        )
    drawn = ((approacher, geometry) for geometry in Geometry for approacher in Approacher)
    for attempt, (approacher, geometry) in enumerate(islice(drawn, movements)):
        movement = MovementCase(approacher, _PERSON, geometry, attempt)
        settings = movement_settings(movement)
        photo = photos[list(photos)[attempt % len(photos)]]
        phone = _phone(photo, settings, claimed_late=0.0)
        yield Recorded(
            f"movement/{approacher.name}/{geometry}/{attempt}",
            Asked.MOVEMENT,
            _sent_by(phone),
            photo.pixels,
            phone,
            movement.seed,
        )


def _phone(photo: Photo, settings: FlashScanSettings, *, claimed_late: float) -> VirtualPhone:
    light, guide = ScreenLight(settings.phone, seed=settings.seed), AppGuide(seed=settings.seed)
    return VirtualPhone(
        light=light,
        frames=_filmed(photo, settings, light, guide),
        one_way=ONE_WAY,
        person=guide,
        face_width=settings.face_width or USUAL_WIDTH,
        claimed_late=claimed_late,
    )


def _filmed(
    photo: Photo, settings: FlashScanSettings, light: ScreenLight, guide: AppGuide
) -> Iterator[SimulatedFrame]:
    """The scene is prepared when its first frame is requested."""
    yield from simulate_flash_scan(photo, settings, light, guide)


def _sent_by(phone: VirtualPhone) -> Iterator[Coded]:
    return (_coded(frame) for frame in phone.frames if phone.sends(frame.capture_time))


def _coded(frame: SimulatedFrame) -> Coded:
    height, width = frame.pixels.shape[:2]
    return Coded(
        frame.capture_time,
        encode_jpeg(frame.pixels, quality=_QUALITY),
        width,
        height,
        exposure=frame.exposure,
    )


def _turned(frame: SentFrame, degrees: int, *, says: int) -> Coded:
    """A recorded frame from a camera that is rotated by that angle in the opposite direction."""
    pixels = np.rot90(frame.pixels(), degrees // 90)
    height, width = pixels.shape[:2]
    jpeg = frame.jpeg if not degrees else encode_jpeg(np.ascontiguousarray(pixels), quality=_QUALITY)
    return Coded(frame.time, jpeg, width, height, rotation_degrees=says)


# Drives one scan through an attempt, in virtual time and sequentially.

_PROCESSING: Final = 0.02
_AUDIT: Final = 4
_LIMITS: Final = DynamicPolicy(minimum_bits=12.0, blink=True, depth=True)


class Driver:
    """Drives scans sequentially."""

    def __init__(self, pack: Pack) -> None:
        """Take the models for the frames."""
        self._pack = pack
        self._analyst = FrameAnalyst(pack=pack, limits=FrameLimits())
        self._fusion = load_fusion_model()
        self._flash: FlashModel = load_flash_model()

    def drive(self, scan: Recorded) -> Iterator[str]:
        """The lines of one scan: one for each frame, then the judgement."""
        portrait, capture = self._portrait(scan), self._capture(scan)
        hear = partial(_show, scan)
        for turn in turns(capture, _arriving(scan), processing=_PROCESSING, hear=hear):
            _tell(scan, capture, turn)
            yield line(
                scan.name,
                f"frame {turn.frame.index if turn.frame else None}",
                {
                    "feedback": turn.feedback,
                    "said": turn.actions,
                    "progress": capture.progress,
                    "settled": capture.settled,
                    "complete": capture.complete,
                },
            )
        yield from self._ended(scan, capture, portrait)

    def _ended(self, scan: Recorded, capture: AttemptCapture, portrait: Template) -> Iterator[str]:
        capture.verify_sample()
        capture.examine_rest()
        challenge = capture.challenge
        judgement = judge_attempt(
            replace(capture.evidence, challenge=evidence_of(challenge, limits=_LIMITS, model=self._flash)),
            portrait=portrait,
            calibration=self._pack.match_calibration,
            liveness_policy=LivenessPolicy(),
            match_policy=MatchPolicy(max_fmr=1e-2),
            fusion=self._fusion,
        )
        seen = capture.observations
        parts: list[tuple[str, str, Any]] = [
            *((f"measured {one.index}", "observation", one) for one in seen.frames),
            *((f"passed {one.index}", "passed", one) for one in seen.passed),
            *((f"segment {at}", "segment", segment) for at, segment in enumerate(seen.motion)),
            *((f"examined {one.frame_index}", "said", one) for one in capture.examined),
            *((f"witness {one.frame_index}", "said", one) for one in capture.witnesses),
            *((f"scored {one.frame_index} {one.network}", "score", one) for one in capture.pad_scores),
        ]
        if isinstance(challenge, FlashRun):
            flash = challenge.evidence
            parts += [(f"step {one.step.number}", "step", one) for one in flash.steps]
            parts += [(f"light {at}", "sample", one) for at, one in enumerate(flash.samples)]
        yield from (line(scan.name, what, {name: value}) for what, name, value in parts)
        best = capture.best
        yield line(
            scan.name,
            "judgement",
            {
                "hints": capture.hints,
                "decoded": capture.frames_examined,
                "rate": capture.measured_per_second(paused_seconds=0.0),
                "best": None if best is None else best.observation.index,
                "audit": [one.observation.index for one in capture.audit_frames(_AUDIT)],
                "judgement": judgement,
            },
        )

    def _capture(self, scan: Recorded) -> AttemptCapture:
        drawn = np.random.default_rng(scan.seed).bytes
        challenge: FlashRun | MovementRun | None = None
        if scan.asked is Asked.FLASH:
            challenge = FlashRun.drawn(drawn, model=self._flash, limits=_LIMITS)
        elif scan.asked is Asked.MOVEMENT:
            challenge = MovementRun.drawn(drawn, rest=Oval(), analyst=self._analyst, model=self._flash)
        return AttemptCapture(
            analyst=self._analyst,
            plan=CapturePlan(),
            oval=Oval(),
            guidance=GuidanceSettings(),
            random=np.random.default_rng(scan.seed + 1).bytes,
            subject=SCAN_SUBJECT,
            challenge=challenge,
        )

    def _portrait(self, scan: Recorded) -> Template:
        faces = self._pack.detector.detect(scan.portrait)
        if not faces:
            return Template(np.eye(1, 256, dtype=np.float32)[0], self._pack.template_form.id)
        return self._pack.template(scan.portrait, faces[0])


def _arriving(scan: Recorded) -> Iterator[tuple[Frame, float]]:
    for index, coded in enumerate(scan.frames):
        yield _frame(coded, index, scan.phone), CLOCKS_APART + coded.time + ONE_WAY


def _show(scan: Recorded, action: Action, now: float) -> None:
    """Make the phone show the attempt's actions."""
    phone = scan.phone
    if phone is None:
        return
    match action:
        case MoveOval(oval=oval, transition_seconds=seconds):
            phone.person.fill(oval, at=now - CLOCKS_APART + 2 * ONE_WAY, seconds=seconds)
        case Reveal(step):
            phone.show(step, now)
        case Feedback(code=code):
            phone.hint(HintCode(code), now)
        case PauseCapture(paused=True):
            phone.pause(now)
        case PauseCapture():
            phone.resume(now)


def _tell(scan: Recorded, capture: AttemptCapture, turn: Turn) -> None:
    """Show the person in front of the phone the preview and the hints."""
    phone = scan.phone
    if phone is None:
        return
    if scan.asked is Asked.MOVEMENT:
        latest = capture.observations.frames[-1]
        if latest.face is not None:
            phone.person.show_position(
                face_extent(latest.face), frame=(latest.width, latest.height), at=latest.capture_time
            )
        return
    code = None if turn.feedback is None else turn.feedback.code
    phone.guide(HintCode(code) if code in ("MOVE_CLOSER", "MOVE_BACK") else None, turn.arrival)


def _frame(coded: Coded, index: int, phone: VirtualPhone | None) -> Frame:
    step, since = (0, None) if phone is None else phone.claims(coded.time)
    return sent_frame(
        coded.jpeg,
        index,
        time=coded.time,
        width=coded.width,
        height=coded.height,
        rotation_degrees=coded.rotation_degrees,
        exposure=coded.exposure,
        step=step,
        step_since=since,
    )


_MOST_SHOWN = 50


def _scan(asked: argparse.Namespace) -> int:
    driver = Driver(load_pack(f"open:{asked.assets / 'models'}"))
    scans = chain(
        clip_scans(asked.assets, seconds=asked.seconds, most=asked.windows),
        islice(simulated_scans(), asked.simulated),
        challenge_scans(load_pack("embedded"), flashes=asked.flashes, movements=asked.movements),
    )
    with asked.out.open("w", encoding="utf-8") as file:
        for number, scan in enumerate(scans):
            if number % asked.parts == asked.part:
                file.writelines(f"{line}\n" for line in driver.drive(scan))
                file.flush()
    return 0


def _compare(asked: argparse.Namespace) -> int:
    before, after = (path.read_text(encoding="utf-8").splitlines() for path in (asked.before, asked.after))
    found = differences(before, after)
    print(f"{len(before)} and {len(after)} lines, {len(found)} differences")
    for one in found[:_MOST_SHOWN]:
        print(one)
    return 1 if found else 0


def main() -> int:
    """Run the subcommand of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.attempt.equality")
    commands = parser.add_subparsers(required=True)
    scan = commands.add_parser("scan")
    scan.add_argument("--assets", type=Path, required=True)
    scan.add_argument("--out", type=Path, required=True)
    scan.add_argument("--windows", type=int, default=3, help="of each clip")
    scan.add_argument("--seconds", type=float, default=5.0, help="of each window")
    scan.add_argument("--simulated", type=int, default=60)
    scan.add_argument("--flashes", type=int, default=60)
    scan.add_argument("--movements", type=int, default=18)
    scan.add_argument("--part", type=int, default=0)
    scan.add_argument("--parts", type=int, default=1)
    scan.set_defaults(run=_scan)
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.set_defaults(run=_compare)
    asked = parser.parse_args()
    return int(asked.run(asked))


if __name__ == "__main__":
    sys.exit(main())

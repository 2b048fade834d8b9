"""Measures how well the movement challenge separates simulated people from flat images.

::

    python -m lab.studies.movement --assets DIR --people 12 --rows rows.jsonl
    python -m lab.studies.movement --assets DIR --people 10 --attempts 1 --only PRINT --rows prints.jsonl

Every person comes closer up to three times, until an attempt is RIGHT or WRONG, as with a policy of three
attempts; each challenge runs in virtual time. All of it is simulation; error rates for real phones, rooms and
people must be measured on them. The lines of ``[movement]`` in ``liveness/dynamic/flash_model.toml`` rest on
it; ``docs/accuracy.md`` has the figures.
"""

import argparse
import hashlib
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np

from attempt import (
    Action,
    AttemptCapture,
    CapturePlan,
    Frame,
    FrameAnalyst,
    FrameLimits,
    MovementRun,
    MoveOval,
)
from lab.evaluation.binomial import proportion
from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    AppGuide,
    FlashCameraSettings,
    FlashKind,
    FlashScanSettings,
    Geometry,
    Photo,
    RendererSettings,
    ScreenLight,
    SheetSettings,
    simulate_flash_scan,
)
from lab.studies.dynamic.people import photo_of, simulated_people
from lab.studies.dynamic.rows import DynamicEvaluationError
from lab.studies.dynamic.virtual_time import frame_of, turns
from liveness import GuidanceSettings, Oval, face_extent
from liveness.dynamic import load_flash_model
from liveness.dynamic.challenge import OvalScript
from liveness.dynamic.movement import MovementResult, PerspectiveFinding
from liveness.dynamic.movement.judge import judge_movement
from liveness.dynamic.policy import ChallengeFinding
from matcher import SCAN_SUBJECT
from vision.errors import VisionError
from vision.packs import Pack, load_pack

_LENSES: Final = (48.0, 55.0, 62.0)
_AMBIENTS: Final = (AmbientPreset.SHADE, AmbientPreset.SUN)
_SECONDS: Final = 25.0


class Approacher(StrEnum):
    """The person or attack that follows the ovals."""

    GENUINE = "genuine person"
    STILL = "genuine person who holds still"
    PRINT = "print"
    TILTED_PRINT = "print, turned to and fro by 8 degrees"
    BENT_PRINT = "print, bent by a tenth of its width"
    SCREEN_REPLAY = "screen replay"
    CUT_OUT_PRINT = "cut-out print, bent over a face"
    RIGID_MASK = "rigid 3-D mask"
    RECORDED_APPROACH = "injected film of another approach"


_KINDS: Final = {
    Approacher.PRINT: FlashKind.PRINT,
    Approacher.TILTED_PRINT: FlashKind.PRINT,
    Approacher.BENT_PRINT: FlashKind.PRINT,
    Approacher.SCREEN_REPLAY: FlashKind.SCREEN_REPLAY,
    Approacher.CUT_OUT_PRINT: FlashKind.CUT_OUT_PRINT,
    Approacher.RIGID_MASK: FlashKind.RIGID_MASK,
}
_STEADY: Final = SheetSettings(yaw_degrees=3.0, pitch_degrees=2.5, shift=0.008, approach=0.015)
"""Movement of a sheet that fills an oval, which is steadier than a waved sheet."""
_SHEETS: Final = {
    Approacher.TILTED_PRINT: replace(_STEADY, yaw_degrees=8.0, pitch_degrees=5.0),
    # A hand bends it by half of that on average.
    Approacher.BENT_PRINT: replace(_STEADY, bend=0.2),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One attempt.

    Attributes:
        attempt: Number of the attempt, from 0.
    """

    approacher: Approacher
    person: str
    geometry: Geometry
    attempt: int

    @property
    def seed(self) -> int:
        """Seed of all draws of the attempt."""
        name = f"{self.approacher.name}/{self.person}/{self.geometry}/{self.attempt}"
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")


def settings_of(case: Case) -> FlashScanSettings:
    """Return the settings of the rendering: shade and sun in turn, and one lens per person."""
    lens = _LENSES[int(case.person, 16) % len(_LENSES)]
    settings = FlashScanSettings(
        kind=_KINDS.get(case.approacher, FlashKind.GENUINE),
        seed=case.seed,
        seconds=_SECONDS,
        frames_per_second=12.0,
        nearest_wall=3.0,
        ambient=AmbientSettings(preset=_AMBIENTS[case.attempt % len(_AMBIENTS)]),
        camera=FlashCameraSettings(field_of_view_degrees=lens),
        renderer=RendererSettings(geometry=case.geometry),
        sheet=_SHEETS.get(case.approacher, _STEADY),
    )
    if case.approacher is Approacher.STILL:
        still = settings.motion
        return replace(
            settings,
            motion=replace(still, yaw_degrees=0.4, pitch_degrees=0.4, roll_degrees=0.3, shift=0.004),
        )
    return settings


_ROUND_TRIP: Final = 0.05
_PROCESSING: Final = 0.0
"""Server time per frame, which does not matter because a person is slower than any server."""


@dataclass(frozen=True, slots=True)
class PlayedAttempt:
    """The outcome of an attempt.

    Attributes:
        seen: Finding on the perspective; ``None`` if it could not be measured.
        seconds: Time from the first oval to the end.
        ovals_filled: Number of filled ovals, of two for each approach.
    """

    result: MovementResult
    seen: PerspectiveFinding | None
    seconds: float
    ovals_filled: int


def play(case: Case, photo: Photo, *, pack: Pack) -> PlayedAttempt:
    """Run one attempt to its end.

    Args:
        case: The person or attack, and the seed of the draws.
        pack: Its detector and landmarker measure the frames, as in a server.
    """
    settings = settings_of(case)
    light, guide = ScreenLight(settings.phone, seed=case.seed), AppGuide(seed=case.seed)
    drawn = np.random.default_rng(case.seed)
    analyst, model = FrameAnalyst(pack=pack, limits=FrameLimits()), load_flash_model()
    challenge = MovementRun.drawn(drawn.bytes, rest=Oval(), analyst=analyst, model=model)
    filmed = OvalScript(drawn.bytes, rest=Oval()) if case.approacher is Approacher.RECORDED_APPROACH else None
    capture = AttemptCapture(
        analyst=analyst,
        plan=CapturePlan(),
        oval=Oval(),
        guidance=GuidanceSettings(),
        random=drawn.bytes,
        subject=SCAN_SUBJECT,
        challenge=challenge,
    )

    def sent() -> Iterator[tuple[Frame, float]]:
        for index, frame in enumerate(simulate_flash_scan(photo, settings, light, guide)):
            yield frame_of(frame, index), frame.capture_time

    def hear(action: Action, now: float) -> None:
        if isinstance(action, MoveOval):
            # An injected film does not follow the ovals; all others do.
            oval = action.oval if filmed is None else filmed.draw().oval
            guide.fill(oval, at=now + _ROUND_TRIP, seconds=action.transition_seconds)

    time = 0.0
    for turn in turns(capture, sent(), processing=_PROCESSING, hear=hear, examine=False):
        time = turn.arrival
        face = capture.observations.frames[-1].face
        if filmed is None and face is not None:
            guide.show_position(face_extent(face), frame=(settings.width, settings.height), at=time)
        if challenge.over:
            break
    record = challenge.record
    return PlayedAttempt(
        result=judge_movement(record, capture.observations, model.movement),
        seen=record.seen(model.movement.perspective),
        seconds=time,
        ovals_filled=len(record.held),
    )


_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Row:
    """One attempt and its outcome.

    Attributes:
        approacher: ``lab.studies.movement.Approacher`` by name.
        attempt: Number of the attempt, from 0.
        finding: ``liveness.dynamic.policy.ChallengeFinding`` by name.
        ovals_filled: Number of filled ovals, of two for each approach.
        seen: Fields of ``PerspectiveFinding``; ``None`` if it could not be measured.
    """

    approacher: str
    person: str
    geometry: str
    attempt: int
    finding: str
    ovals_filled: int
    seconds: float
    seen: dict[str, Any] | None

    def as_record(self) -> dict[str, Any]:
        """Return the row for a line of JSON."""
        return asdict(self)


def report(rows: Sequence[Row]) -> str:
    """Make a table of attempts by finding and of accepted people, for each approacher and geometry.

    Bounds are over people, because scans of one face are not independent (Clopper-Pearson, 95 %). A person
    counts as accepted if one of the attempts is RIGHT.
    """
    lines = [
        "| | head | attempts: RIGHT / WRONG / NOT_MEASURABLE / ABSENT | people accepted [95 %] | median s |",
        "|---|---|---|---|---|",
    ]
    cells: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        cells[row.approacher, row.geometry].append(row)
    for approacher in Approacher:
        for (name, geometry), found in sorted(cells.items()):
            if name == approacher.name:
                lines.append(_line(approacher, geometry, found))
    return "\n".join(lines)


def _line(approacher: Approacher, geometry: str, rows: Sequence[Row]) -> str:
    order = (
        ChallengeFinding.RIGHT,
        ChallengeFinding.WRONG,
        ChallengeFinding.NOT_MEASURABLE,
        ChallengeFinding.ABSENT,
    )
    counts = [sum(row.finding == finding.name for row in rows) for finding in order]
    people = {row.person for row in rows}
    accepted = {row.person for row in rows if row.finding == ChallengeFinding.RIGHT.name}
    share = proportion(len(accepted), len(people), confidence=_CONFIDENCE)
    if share is None:
        raise ValueError("a cell without rows")
    bounds = f"{len(accepted)} of {len(people)} [{100 * share.lower:.0f}, {100 * share.upper:.0f} %]"
    seconds = sorted(row.seconds for row in rows)[len(rows) // 2]
    attempts = f"{len(rows)}: {' / '.join(map(str, counts))}"
    return f"| {approacher.value} | {geometry} | {attempts} | {bounds} | {seconds:.1f} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        _measure(options)
    except (DynamicEvaluationError, VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _measure(options: argparse.Namespace) -> None:
    pack, landmarks = load_pack(options.pack or f"open:{options.assets / 'models'}"), load_pack("embedded")
    people = simulated_people(options.assets, pack=landmarks, witness=pack, corrections=options.corrections)[
        : options.people
    ]
    rows: list[Row] = []
    with options.rows.open("w", encoding="utf-8") as file:
        for approacher in options.only or Approacher:
            for person in people:
                photo = photo_of(person, pack=landmarks, witness=pack)
                for geometry in (Geometry.RELIEF, Geometry.ELLIPSOID):
                    for row in _attempts(
                        approacher, person.key, geometry, photo, pack, most=options.attempts
                    ):
                        rows.append(row)
                        file.write(json.dumps(row.as_record()) + "\n")
                        file.flush()
    sys.stdout.write(report(rows) + "\n")


def _attempts(
    approacher: Approacher, person: str, geometry: Geometry, photo: Photo, pack: Pack, *, most: int
) -> Iterator[Row]:
    for attempt in range(most):
        played = play(Case(approacher, person, geometry, attempt), photo, pack=pack)
        yield Row(
            approacher=approacher.name,
            person=person,
            geometry=geometry.value,
            attempt=attempt,
            finding=played.result.finding.name,
            ovals_filled=played.ovals_filled,
            seconds=round(played.seconds, 2),
            seen=None if played.seen is None else asdict(played.seen),
        )
        if played.result.finding in {ChallengeFinding.RIGHT, ChallengeFinding.WRONG}:
            return


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lab.studies.movement",
        description="Measure the movement challenge on simulated people and images.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--assets", type=Path, required=True, help="folder with models/ and data/faces/")
    parser.add_argument("--people", type=int, default=12, help="number of people, in the order of their keys")
    parser.add_argument("--attempts", type=int, default=3, help="most attempts of one scan")
    parser.add_argument("--rows", type=Path, required=True, help="file for a JSON line per attempt")
    parser.add_argument(
        "--only", type=lambda name: Approacher[name], action="append", help="approacher by name; all if none"
    )
    parser.add_argument(
        "--pack", help="spec of the pack that measures the frames; open:ASSETS/models if none"
    )
    parser.add_argument("--corrections", type=Path, help="file with the known errors of the labels")
    return parser


if __name__ == "__main__":
    sys.exit(main())

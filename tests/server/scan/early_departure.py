"""Measures how early an attempt may be decided against if its device left; see ``docs/accuracy.md``.

::

    python -m tests.server.scan.early_departure cut --pack P --assets DIR --rows FILE
    python -m tests.server.scan.early_departure flash --pack P --assets DIR --rows FILE
    python -m tests.server.scan.early_departure report --rows FILE

``cut`` judges every scan of recorded clips at every length, as if its device had left there, and ``flash``
does the same with simulated flash scans. ``report`` counts the scans that are decided against at any length,
under several conditions including the server's, and from which number of frames on.
"""

import argparse
import csv
import hashlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, cycle, groupby, islice
from pathlib import Path
from statistics import median
from typing import Any, Final

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.frame import Frame, FrameLimits
from attempt.judgement import MINIMUM_MATCH_FRAMES, StandingLine, judge_attempt
from attempt.placement import CapturePlan
from lab.evaluation.match.calibration import without_folder
from lab.simulator import AmbientPreset, FlashKind
from lab.simulator.photo import builtin_photo_names
from lab.simulator.scan import simulate_scan
from lab.simulator.scene import ScanKind, SceneSettings
from lab.studies.dynamic.cases import Case, Group, all_cases, settings_of
from lab.studies.dynamic.drive import Link, ScanTrace, drive_scan
from lab.studies.dynamic.people import photo_of, simulated_people
from lab.studies.scan_match.clips import ClipError, Recording, SentFrame, read_recording
from lab.studies.scan_match.comparisons import portrait_template
from lab.studies.scans import select_frames
from liveness.continuity import without_unexamined_motion
from liveness.dynamic.judge import combine_flash, judge_flash
from liveness.dynamic.model import FlashModel, load_flash_model
from liveness.dynamic.policy import DynamicPolicy
from liveness.fusion import judge_express
from liveness.fusion_model import FusionModel, load_fusion_model
from liveness.guidance import GuidanceSettings, Oval
from liveness.policy import LivenessPolicy
from liveness.verdict import Verdict
from matcher.comparison import MatchPolicy, compare
from matcher.persons import SCAN_SUBJECT
from matcher.template import fuse_templates
from server.scan.messages import CaptureBudget
from tests.packs import real_photo
from vision.errors import VisionError
from vision.image import encode_jpeg
from vision.packs import Pack, Template, load_pack
from vision.packs.pack_files import default_models_dir

# One scan, judged at every length, as if its device had left there.


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class CutScan:
    """A scan to cut.

    Attributes:
        kind: ``live``, or the attack.
        clip: The clip's name.
        number: The scan's number in the clip.
        frames: The frames, in order of time.
        portrait: The person's template.
        others: Other persons' templates.
    """

    kind: str
    clip: str
    number: int
    frames: tuple[SentFrame, ...]
    portrait: Template
    others: tuple[Template, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """The judgement of a scan's first frames.

    Attributes:
        pack: The name of the model pack.
        kind: ``live``, or the attack.
        scan: The scan's number in the clip.
        faces: Measured frames with exactly one face, which is attributed to a person.
        seconds: The capture time that these frames span.
        whole: Whether the attempt was complete here, or the scan ended before.
        spoof: Whether liveness decides SPOOF with the default thresholds.
        confidence: The confidence of liveness, 0 to 100.
        bound: The bound on the false match rate with the person's own portrait; ``None`` without comparison.
        others: The same for other persons' portraits.
        constant: Whether all frames show one person; ``None`` if too few frames are usable.
    """

    pack: str
    kind: str
    clip: str
    scan: int
    frames: int
    faces: int
    seconds: float
    examined: int
    whole: bool
    spoof: bool
    confidence: float
    bound: float | None
    others: tuple[float, ...]
    constant: bool | None

    def as_row(self) -> dict[str, Any]:
        """Return the row in the form of JSON."""
        return asdict(self)

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "Cut":
        """Parse the value that ``as_row`` returns."""
        return cls(**(row | {"others": tuple(row["others"])}))


class ScanCutter:
    """Runs scans through the server's capture and judges them every few frames."""

    def __init__(self, *, pack: Pack, name: str, fusion: FusionModel, every: int) -> None:
        """Initialise the study with the models and the number of frames between two cuts."""
        self._pack = pack
        self._name = name
        self._fusion = fusion
        self._every = every
        self._analyst = FrameAnalyst(pack=pack, limits=FrameLimits())

    def cut(self, scan: CutScan) -> list[Cut]:
        """Judge the scan at every length, up to the length at which the attempt is complete."""
        capture = AttemptCapture(
            analyst=self._analyst,
            plan=CapturePlan(),
            oval=Oval(),
            guidance=GuidanceSettings(),
            random=bytes,
            subject=SCAN_SUBJECT,
        )
        cuts = []
        for index, frame in enumerate(scan.frames):
            capture.capture_frame(_frame(frame, index), arrival=frame.time)
            sent, whole = index + 1, capture.complete or index + 1 == len(scan.frames)
            if whole or sent % self._every == 0:
                capture.examine_rest()
                cuts.append(self._judge(capture, scan, sent=sent, whole=whole))
            if whole:
                break
        return cuts

    def _judge(self, capture: AttemptCapture, scan: CutScan, *, sent: int, whole: bool) -> Cut:
        policy = MatchPolicy(max_fmr=1e-2)
        calibration = self._pack.match_calibration
        observed, examined = capture.observations, capture.examined
        judgement = judge_attempt(
            replace(capture.evidence, hints=()),
            portrait=scan.portrait,
            calibration=calibration,
            liveness_policy=LivenessPolicy(),
            match_policy=policy,
            fusion=self._fusion,
        )
        bounds: tuple[float, ...] = ()
        if len(examined) >= MINIMUM_MATCH_FRAMES:
            fused = fuse_templates([frame.sample for frame in examined])
            bounds = tuple(
                compare(portrait=other, scan=fused, calibration=calibration, policy=policy).fmr_bound
                for other in scan.others
            )
        identified = {frame.frame_index for frame in (*examined, *capture.witnesses)}
        usable = without_unexamined_motion(observed, examined=identified).usable
        return Cut(
            pack=self._name,
            kind=scan.kind,
            clip=scan.clip,
            scan=scan.number,
            frames=sent,
            faces=len(usable),
            seconds=usable[-1].capture_time - usable[0].capture_time if usable else 0.0,
            examined=len(examined),
            whole=whole,
            spoof=judgement.liveness.verdict is Verdict.SPOOF,
            confidence=judgement.liveness.confidence,
            bound=None if judgement.match is None else judgement.match.fmr_bound,
            others=bounds,
            constant=judgement.identity_constant,
        )


def _frame(frame: SentFrame, index: int) -> Frame:
    height, width = frame.pixels().shape[:2]
    return Frame(
        image=frame.jpeg,
        index=index,
        capture_time_us=1 + round(1e6 * frame.time),
        rotation_degrees=0,
        mirrored=False,
        width=width,
        height=height,
    )


# Simulated flash scans, judged at every length, to find out whether they look like an attack.

FLASH: Final = "flash, simulated"
"""The name of the pack in the rows."""
_LIGHTS: Final = {
    Group.GENUINE: {AmbientPreset.DARK, AmbientPreset.INDOOR, AmbientPreset.OFFICE},
    Group.ATTACK: {AmbientPreset.INDOOR},
}
_KINDS: Final = {FlashKind.GENUINE, FlashKind.PRINT, FlashKind.SCREEN_REPLAY, FlashKind.RECORDED_SCAN}
_POLICY: Final = DynamicPolicy(minimum_bits=12.0, blink=True, depth=True)


def flash_cuts(
    assets: Path, pack: Pack, portraits: Pack, *, every: int, done: set[str]
) -> Iterator[list[Cut]]:
    """Yield the cuts of one scan after another, except those of ``done``.

    Args:
        assets: Folder of the test data.
        pack: Examines the frames.
        portraits: Finds the landmarks of the photos.
        every: Frames between two cuts.
        done: Names of scans to omit.
    """
    people = simulated_people(assets, pack=portraits, witness=pack, corrections=None)
    photos = {person.key: photo_of(person, pack=portraits, witness=pack) for person in people}
    model = load_flash_model()
    for case in all_cases(list(photos), turns=1):
        if not _wanted(case) or case.name in done:
            continue
        watcher = _Watcher(case, model=model, every=every)
        seed = hashlib.sha256(f"scan/{case.name}".encode()).digest()[:8]
        trace = drive_scan(
            photos[case.person],
            settings_of(case, width=240, height=320, rate=20.0),
            pack=pack,
            policy=_POLICY,
            model=model,
            link=Link(),
            rng=np.random.default_rng(int.from_bytes(seed, "big")),
            watch=watcher.watch,
        )
        watcher.judge(trace, whole=True)
        yield watcher.cuts


class _Watcher:
    """Judges a scan every few frames."""

    def __init__(self, case: Case, *, model: FlashModel, every: int) -> None:
        self._case = case
        self._model = model
        self._fusion = load_fusion_model()
        self._every = every
        self.cuts: list[Cut] = []

    def watch(self, trace: ScanTrace) -> None:
        if trace.frames % self._every == 0:
            self.judge(trace, whole=False)

    def judge(self, trace: ScanTrace, *, whole: bool) -> None:
        flash = judge_flash(samples=trace.samples, revealed=trace.revealed, model=self._model)
        express = judge_express(
            scan=trace.evidence.scan, pad_scores=[], policy=LivenessPolicy(), model=self._fusion
        )
        liveness = combine_flash(express=express, flash=flash, dynamic=_POLICY, settings=self._model.judge)
        faces = trace.evidence.scan.usable
        self.cuts.append(
            Cut(
                pack=FLASH,
                kind="live" if self._case.group is Group.GENUINE else f"flash {self._case.kind}",
                clip=self._case.name,
                scan=0,
                frames=trace.frames,
                faces=len(faces),
                seconds=faces[-1].capture_time - faces[0].capture_time if faces else 0.0,
                examined=len(select_frames(trace.evidence.scan.frames)),
                whole=whole,
                spoof=liveness.verdict is Verdict.SPOOF,
                confidence=liveness.confidence,
                bound=None,
                others=(),
                constant=None,
            )
        )


def _wanted(case: Case) -> bool:
    return case.kind in _KINDS and case.ambient in _LIGHTS.get(case.group, set())


# The scans of the study: recorded clips, and simulated prints and screens.

_SECONDS = 5.0
"""The length of a scan of the study, in seconds. A complete attempt has four."""
_OTHERS = 3
_SEEDS = 2
_ATTACKS = (ScanKind.STATIC_PHOTO, ScanKind.WAVED_PHOTO, ScanKind.SCREEN_REPLAY)
_FOLDERS = ("video", "video_more")


def clip_scans(assets: Path, pack: Pack, *, most: int) -> Iterator[CutScan]:
    """Yield scans of the recorded clips; each live scan also has three other persons' portraits.

    Args:
        assets: Contains the folders of clips.
        pack: Makes the portraits' templates.
        most: The maximum number of scans of a clip.
    """
    live = list(_with_portraits(assets, "live", pack, most=most))
    for at, (_, recording, portrait) in enumerate(live):
        others = [one for _, _, one in islice(cycle(live), at + 1, at + 1 + _OTHERS)]
        yield from _scans("live", recording, portrait, others)
    for kind, recording, portrait in _with_portraits(assets, "spoof", pack, most=most):
        yield from _scans(kind, recording, portrait, ())


def simulated_scans(pack: Pack) -> Iterator[CutScan]:
    """Yield simulated prints and screens that show the portrait."""
    for name in builtin_photo_names():
        photo = real_photo(name)
        faces = pack.detector.detect(photo.pixels)
        if not faces:
            continue
        for kind in _ATTACKS:
            for seed in range(_SEEDS):
                frames = simulate_scan(photo, SceneSettings(kind=kind, seed=seed, seconds=_SECONDS))
                yield CutScan(
                    kind=f"simulated {kind}",
                    clip=name,
                    number=seed,
                    frames=tuple(
                        SentFrame(one.capture_time, encode_jpeg(one.pixels, quality=88)) for one in frames
                    ),
                    portrait=pack.template(photo.pixels, faces[0]),
                    others=(),
                )


def _with_portraits(
    assets: Path, label: str, pack: Pack, *, most: int
) -> Iterator[tuple[str, Recording, Template]]:
    """Yield clips, with their kind, that are long enough and whose first second shows one face."""
    for folder in _FOLDERS:
        with (assets / "data" / folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
            clips = [row for row in csv.DictReader(file) if row["label"] == label and _large_enough(row)]
        for row in sorted(clips, key=lambda one: one["file"]):
            try:
                recording = read_recording(
                    assets / "data" / folder / row["file"], seconds=_SECONDS, most=most
                )
            except ClipError:
                continue
            portrait = portrait_template(recording, pack)
            if portrait is not None:
                yield _kind(row), recording, Template(portrait, pack.template_form.id)


def _scans(
    kind: str, recording: Recording, portrait: Template, others: Sequence[Template]
) -> Iterator[CutScan]:
    for number, frames in enumerate(recording.scans):
        yield CutScan(
            kind=kind,
            clip=recording.name,
            number=number,
            frames=frames,
            portrait=portrait,
            others=tuple(others),
        )


def _large_enough(row: dict[str, str]) -> bool:
    """Return whether a server accepts the frames of a clip."""
    return min(int(row["width"]), int(row["height"])) >= CaptureBudget().min_frame_side


def _kind(row: dict[str, str]) -> str:
    if row["label"] == "live":
        return "live"
    return "deepfake" if row["attack_type"].startswith("deepfake") else "screen"


# Tables of the cuts: the scans that are decided against at any length, and from which frame on.

_SHIPPED = StandingLine()
_LINES: dict[str, StandingLine] = {
    "every cut": StandingLine(faces=0, seconds=0.0, selected=0),
    "8 faces, 1 s (liveness)": StandingLine(faces=8, seconds=1.0, selected=0),
    "16 faces, 2 s, 4 selected": StandingLine(faces=16, seconds=2.0, selected=4),
    f"{_SHIPPED.faces} faces, {_SHIPPED.seconds:g} s, {_SHIPPED.selected} selected (shipped)": _SHIPPED,
}
_MAX_FMRS = (1e-2, 3e-3)

Adverse = Callable[[Cut], bool]


def report_tables(cuts: Sequence[Cut]) -> Iterator[Table]:
    """Return two tables for each pack."""
    for pack, rows in groupby(sorted(cuts, key=lambda cut: cut.pack), key=lambda cut: cut.pack):
        scans = _tables_scans(rows)
        yield _genuine_table(pack, [scan for scan in scans if scan[0].kind == "live"])
        yield _attack_table(pack, scans)


def _tables_scans(cuts: Iterator[Cut]) -> list[list[Cut]]:
    scans: dict[tuple[str, str, int], list[Cut]] = defaultdict(list)
    for cut in cuts:
        scans[cut.kind, cut.clip, cut.scan].append(cut)
    return list(scans.values())


def _genuine_table(pack: str, scans: Sequence[Sequence[Cut]]) -> Table:
    clips = len({scan[0].clip for scan in scans})
    table = Table(
        "once there are", "SPOOF", "identity changed", *(f"another person, {fmr:g}" for fmr in _MAX_FMRS),
        title=f"{pack}: {len(scans)} genuine scans of {clips} clips, {sum(map(len, scans))} cuts: "
        "scans decided against",
    )  # fmt: skip
    verdicts: tuple[Adverse, ...] = (_spoof, _changed, *(_another(fmr) for fmr in _MAX_FMRS))
    whole = [[cut for cut in scan if cut.whole] for scan in scans]
    table.add_row("whole attempts", *(str(_against(whole, verdict)) for verdict in verdicts))
    for name, line in _LINES.items():
        standing = [[cut for cut in scan if cut.whole or _reached(cut, line)] for scan in scans]
        table.add_row(name, *(str(_against(standing, verdict)) for verdict in verdicts))
    return table


def _attack_table(pack: str, scans: Sequence[Sequence[Cut]]) -> Table:
    table = Table(
        "attack", "scans", "whole attempts against", "cut at any length",
        "first frames, median (least, most)", "seconds",
        title=f"{pack}: attacks, on the shipped line",
    )  # fmt: skip
    groups: dict[str, tuple[list[Sequence[Cut]], Adverse]] = {}
    for scan in scans:
        kind = scan[0].kind
        if kind != "live":
            groups.setdefault(kind, ([], _spoof))[0].append(scan)
        elif any(cut.others for cut in scan):
            groups.setdefault("another person", ([], _any_other))[0].append(scan)
    for kind, (members, adverse) in groups.items():
        whole = [[cut for cut in scan if cut.whole] for scan in members]
        firsts = [
            first
            for scan in members
            if (
                first := next(
                    (cut for cut in scan if (cut.whole or _reached(cut, _SHIPPED)) and adverse(cut)), None
                )
            )
        ]
        frames, seconds = [cut.frames for cut in firsts], [cut.seconds for cut in firsts]
        table.add_row(
            kind,
            str(len(members)),
            str(_against(whole, adverse)),
            str(len(firsts)),
            f"{median(frames):g} ({min(frames)}, {max(frames)})" if frames else "",
            f"{median(seconds):.1f} ({min(seconds):.1f}, {max(seconds):.1f})" if seconds else "",
        )
    return table


def _reached(cut: Cut, line: StandingLine) -> bool:
    return line.reached(faces=cut.faces, seconds=cut.seconds, selected=cut.examined)


def _against(scans: Sequence[Sequence[Cut]], adverse: Adverse) -> int:
    return sum(any(adverse(cut) for cut in scan) for scan in scans)


def _spoof(cut: Cut) -> bool:
    return cut.spoof


def _changed(cut: Cut) -> bool:
    return cut.constant is False


def _another(max_fmr: float) -> Adverse:
    return lambda cut: cut.bound is not None and cut.bound > max_fmr


def _any_other(cut: Cut) -> bool:
    """Return whether the scan is distinguished from one of the other persons' portraits."""
    return any(bound > _MAX_FMRS[0] for bound in cut.others)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        # One core, as in a server, because several OpenCV threads slow each other down on small images.
        cv2.setNumThreads(1)
        if options.work == "cut":
            _cut(options)
        elif options.work == "flash":
            _flash(options)
        else:
            console = Console(width=150)
            for table in report_tables(_read(options.rows)):
                console.print(table)
    except (VisionError, OSError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _cut(options: argparse.Namespace) -> None:
    pack = _pack(options.pack)
    name = without_folder(options.pack)
    done = {_scan_of(cut) for cut in _read(options.rows)} if options.rows.exists() else set()
    cutter = ScanCutter(pack=pack, name=name, fusion=load_fusion_model(), every=options.every)
    with options.rows.open("a", encoding="utf-8") as file:
        for scan in chain(clip_scans(options.assets, pack, most=options.scans), simulated_scans(pack)):
            if (name, scan.kind, scan.clip, scan.number) in done:
                continue
            cuts = cutter.cut(scan)
            file.write("".join(json.dumps(cut.as_row()) + "\n" for cut in cuts))
            file.flush()


def _flash(options: argparse.Namespace) -> None:
    done = {cut.clip for cut in _read(options.rows) if cut.pack == FLASH} if options.rows.exists() else set()
    pack, portraits = _pack(options.pack), _pack("embedded")
    with options.rows.open("a", encoding="utf-8") as file:
        for cuts in flash_cuts(options.assets, pack, portraits, every=options.every, done=done):
            file.write("".join(json.dumps(cut.as_row()) + "\n" for cut in cuts))
            file.flush()


def _pack(spec: str) -> Pack:
    return load_pack(spec, models_dir=default_models_dir(os.environ, Path.home()))


def _read(path: Path) -> list[Cut]:
    return list(_cuts(path))


def _cuts(path: Path) -> Iterator[Cut]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield Cut.of_row(json.loads(line))


def _scan_of(cut: Cut) -> tuple[str, str, str, int]:
    return cut.pack, cut.kind, cut.clip, cut.scan


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.server.scan.early_departure", description="Judge scans at every length."
    )
    works = parser.add_subparsers(dest="work", required=True)
    cut = works.add_parser("cut", help="judge every scan at every length")
    cut.add_argument("--scans", type=int, default=2, help="scans of a clip, at most")
    flash = works.add_parser("flash", help="judge simulated flash scans at every length")
    for each, every in ((cut, 4), (flash, 12)):
        each.add_argument(
            "--pack", required=True, help='such as "open", "embedded" or "insightface:<folder>"'
        )
        each.add_argument("--assets", required=True, type=Path, help="folder of the test data")
        each.add_argument("--every", type=int, default=every, help="frames between two cuts")
    report = works.add_parser("report", help="count")
    for each in (cut, flash, report):
        each.add_argument(
            "--rows", required=True, type=Path, help="JSON lines, one a cut; a run goes on there"
        )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

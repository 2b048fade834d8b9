"""Simulates cases and returns their rows; a measurement can be continued."""

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field, replace
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from attempt import AttemptJudgement, CapturePlan, judge_attempt
from lab.evaluation.match import without_folder
from lab.simulator import Photo
from lab.studies.dynamic.cases import Case, claimed_late, settings_of
from lab.studies.dynamic.drive import Link, ScanTrace, drive_scan
from lab.studies.dynamic.people import Person, photo_of
from lab.studies.dynamic.rows import AttemptRow, DynamicEvaluationError, Row
from liveness import ChallengeEvidence, FlashEvidence, FusionModel, LivenessPolicy, Verdict, load_fusion_model
from liveness.dynamic import DynamicPolicy, FlashModel, FlashResult, load_flash_model
from liveness.dynamic.judge import judge_flash
from liveness.dynamic.policy import ChallengeFinding
from matcher import MatchPolicy
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, Template, load_pack

_OUTCOMES: Final = {
    Verdict.LIVE: AttemptRow.SUCCESS,
    Verdict.SPOOF: AttemptRow.SPOOF,
    Verdict.INCONCLUSIVE: AttemptRow.INCONCLUSIVE,
}
_MATCH: Final = MatchPolicy(max_fmr=1e-2)
"""Not critical, because a simulated person always shows the face of the portrait."""
_MEASURED: Final = ("lab.studies.dynamic", "attempt", "formats", "lab.simulator", "liveness", "vision")


@dataclass(frozen=True, slots=True)
class Conditions:
    """The common conditions of all scans.

    Attributes:
        pack: Spec of the pack that measures the frames.
        portrait_pack: Spec of the pack that finds the 68 landmarks of the photos.
        width: Width of the frames, pixels.
        height: Height of the frames, pixels.
        rate: Frames a second.
        bits: The floor of verified bits.
        blink: Whether the policy accepts a blink.
        depth: Whether it accepts a head's depth in any light.
        mouth: Whether the person has to open the mouth on request.
        turn: Whether the person has to turn the head to a side on request.
        networks: Whether the PAD networks judge; the renderer does not aim to imitate the pixels they need.
        attempts: The most attempts of a check.
    """

    pack: str
    portrait_pack: str = "embedded"
    width: int = 240
    height: int = 320
    rate: float = 20.0
    link: Link = field(default_factory=Link)
    bits: float = 12.0
    blink: bool = False
    depth: bool = False
    mouth: bool = False
    turn: bool = False
    networks: bool = True
    attempts: int = 1

    def __str__(self) -> str:
        """Return the conditions in words, without this machine's paths."""
        packs = (
            f"faces by {without_folder(self.pack)}, photos' landmarks by {without_folder(self.portrait_pack)}"
        )
        frames = f"{self.width}x{self.height} JPEG at {self.rate:g} frames a second"
        there, busy = (1000 * seconds for seconds in (self.link.round_trip, self.link.processing))
        link = f"round trip {there:g} ms, {busy:g} ms of the server a frame"
        blink = ", a blink is taken" if self.blink else ""
        depth = ", depth is taken" if self.depth else ""
        mouth = ", an open mouth is demanded" if self.mouth else ""
        turn = ", a turned head is demanded" if self.turn else ""
        networks = "" if self.networks else ", no PAD networks"
        attempts = "" if self.attempts == 1 else f", up to {self.attempts} attempts"
        return (
            f"{packs}, {frames}, {link}, floor of {self.bits:g} bits{blink}{depth}{mouth}{turn}{networks}"
            f"{attempts}"
        )


class Bench:
    """Simulates and judges one case after another."""

    def __init__(self, conditions: Conditions, people: Sequence[Person]) -> None:
        """Load the packs.

        Raises:
            VisionError: A pack cannot be loaded.
        """
        # One core per process: several threads of OpenCV only compete for small images.
        cv2.setNumThreads(1)
        self._conditions = conditions
        self._people = {person.key: person for person in people}
        self._photos: dict[str, Photo] = {}
        self._templates: dict[str, Template] = {}
        pack = load_pack(conditions.pack, runtime=RuntimeOptions(providers="cpu"))
        self._pack: Pack = pack if conditions.networks else replace(pack, pad_networks=())
        self._portraits: Pack = load_pack(conditions.portrait_pack)
        self._model: FlashModel = load_flash_model()
        self._fusion: FusionModel = load_fusion_model()
        self._code = code_hash()

    def run_check(self, case: Case) -> list[Row]:
        """Simulate and judge the attempts of a check, until one decides it or none is left.

        Args:
            case: The first attempt.

        Raises:
            DynamicEvaluationError: The person's photo cannot be used.
        """
        rows: list[Row] = []
        for attempt in range(1, self._conditions.attempts + 1):
            row, retryable = self._run(replace(case, attempt=attempt))
            rows.append(row)
            if not retryable:
                break
        return rows

    def _run(self, case: Case) -> tuple[Row, bool]:
        """Return the row of an attempt, and whether another one may help."""
        began = time.process_time()
        conditions = self._conditions
        policy = DynamicPolicy(minimum_bits=conditions.bits, blink=conditions.blink, depth=conditions.depth)
        seed = hashlib.sha256(f"scan/{case.name}".encode()).digest()[:8]
        settings = settings_of(case, width=conditions.width, height=conditions.height, rate=conditions.rate)
        trace = drive_scan(
            self._photo(case.person),
            settings,
            pack=self._pack,
            policy=policy,
            model=self._model,
            link=conditions.link,
            rng=np.random.default_rng(int.from_bytes(seed, "big")),
            claimed_late=claimed_late(case, settings),
            plan=CapturePlan(open_mouth=conditions.mouth, turn_head=conditions.turn),
        )
        flash = judge_flash(samples=trace.samples, revealed=trace.revealed, model=self._model)
        judged = self._judged(trace, policy, self._template(case.person))
        return self._row(case, trace, flash, judged, policy=policy, began=began), judged.retryable

    def _judged(self, trace: ScanTrace, policy: DynamicPolicy | None, portrait: Template) -> AttemptJudgement:
        """Return the judgement of the attempt with its challenge, or without it as Express judges."""
        evidence = replace(trace.evidence, gestures=())
        if policy is not None:
            flash = FlashEvidence(steps=trace.revealed, samples=trace.samples)
            challenge = ChallengeEvidence(limits=policy, flash=flash, movement=None, model=self._model)
            evidence = replace(trace.evidence, challenge=challenge)
        return judge_attempt(
            evidence,
            portrait=portrait,
            calibration=self._pack.match_calibration,
            liveness_policy=LivenessPolicy(),
            match_policy=_MATCH,
            fusion=self._fusion,
        )

    def _template(self, key: str) -> Template:
        """Return the template of the person's photo."""
        if key not in self._templates:
            pixels = self._photo(key).pixels
            faces = self._pack.detector.detect(pixels)
            if not faces:
                raise DynamicEvaluationError(f"the pack finds no face in the photo of {key}")
            self._templates[key] = self._pack.template(pixels, faces[0])
        return self._templates[key]

    def _photo(self, key: str) -> Photo:
        if key not in self._photos:
            self._photos[key] = photo_of(self._people[key], pack=self._portraits, witness=self._pack)
        return self._photos[key]

    def _row(
        self,
        case: Case,
        trace: ScanTrace,
        flash: FlashResult,
        judged: AttemptJudgement,
        *,
        policy: DynamicPolicy,
        began: float,
    ) -> Row:
        express = self._judged(trace, None, self._template(case.person))
        return Row(
            name=case.name,
            group=str(case.group),
            kind=str(case.kind),
            ambient=str(case.ambient),
            person=case.person,
            skin=case.skin,
            camera=case.camera,
            distance=case.distance,
            renderer=case.renderer,
            latency=case.latency,
            quality=case.quality,
            lying=case.lying,
            attempt=case.attempt,
            code=self._code,
            conditions=str(self._conditions),
            finding=str(flash.finding),
            reason=None if flash.reason is None else str(flash.reason),
            bits=round(flash.verified_bits, 3),
            odds=round(flash.odds, 4),
            lag=None if flash.lag is None else round(flash.lag, 4),
            shown=sum(one.step.bits > 0 for one in trace.revealed),
            right=sum(answer.agrees is True for answer in flash.steps),
            wrong=sum(answer.agrees is False for answer in flash.steps),
            scores={one.name: round(one.score, 4) for one in flash.signals if one.score is not None},
            flash=_outcome(flash, policy),
            express=_OUTCOMES[express.liveness.verdict],
            combined=_OUTCOMES[judged.liveness.verdict],
            seconds=None if trace.seconds is None else round(trace.seconds, 3),
            end=trace.end,
            hints=list(trace.hints),
            pauses=trace.pauses,
            guidance=trace.guidance,
            frames=trace.frames,
            faces=trace.faces,
            cost=round(time.process_time() - began, 2),
        )


def measure_checks(
    cases: Sequence[Case], *, people: Sequence[Person], conditions: Conditions, jobs: int
) -> Iterator[list[Row]]:
    """Yield the rows of each check in the order of completion.

    Args:
        cases: The first attempts of the checks.
        people: The people of the cases, and possibly more.
        jobs: Number of processes; 1 uses this process only.

    Raises:
        DynamicEvaluationError: A photo cannot be used.
        VisionError: A pack cannot be loaded.
    """
    if jobs == 1:
        bench = Bench(conditions, people)
        yield from map(bench.run_check, cases)
        return
    waiting = iter(cases)
    with ProcessPoolExecutor(
        jobs, mp_context=get_context("spawn"), initializer=_start, initargs=(conditions, tuple(people))
    ) as pool:
        running: set[Future[list[Row]]] = set()
        while True:
            while len(running) < 2 * jobs and (case := next(waiting, None)) is not None:
                running.add(pool.submit(_run, case))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)


def code_hash() -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 over all code that determines a row."""
    digest = hashlib.sha256()
    for package in _MEASURED:
        root = Path(str(files(package)))
        for path in sorted((*root.rglob("*.py"), *root.rglob("*.toml"))):
            digest.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


_bench: Bench | None = None
"""The bench of a worker process."""


def _start(conditions: Conditions, people: tuple[Person, ...]) -> None:
    global _bench  # noqa: PLW0603 - a pool hands its workers nothing else to keep
    _bench = Bench(conditions, people)


def _run(case: Case) -> list[Row]:
    if _bench is None:
        raise RuntimeError("the worker was not started")
    return _bench.run_check(case)


def _outcome(flash: FlashResult, policy: DynamicPolicy) -> str:
    match flash.finding:
        case ChallengeFinding.WRONG | ChallengeFinding.ABSENT:
            return AttemptRow.SPOOF
        case ChallengeFinding.RIGHT if flash.verified_bits >= policy.minimum_bits:
            return AttemptRow.SUCCESS
        case _:
            return AttemptRow.INCONCLUSIVE

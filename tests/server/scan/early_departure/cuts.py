"""One scan, judged at every length, as if its device had left there."""

from dataclasses import asdict, dataclass
from typing import Any

from attempt.analyst import FrameAnalyst
from attempt.capture import AttemptCapture
from attempt.frame import Frame, FrameLimits
from attempt.judgement import MINIMUM_MATCH_FRAMES, judge_attempt
from attempt.placement import CapturePlan
from liveness.continuity import without_unexamined_motion
from liveness.fusion_model import FusionModel
from liveness.guidance import GuidanceSettings, Oval
from liveness.policy import LivenessPolicy
from liveness.verdict import Verdict
from matcher.comparison import MatchPolicy, compare
from matcher.persons import SCAN_SUBJECT
from matcher.template import fuse_templates
from research.scan_match.clips import SentFrame
from vision.packs import Pack, Template

__all__ = ["Cut", "CutScan", "ScanCutter"]


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
        clip: The clip's name.
        scan: The scan's number in the clip.
        frames: Frames sent.
        faces: Measured frames with exactly one face, which is attributed to a person.
        seconds: The capture time that these frames span.
        examined: Examined frames.
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
        """Returns the row in the form of JSON."""
        return asdict(self)

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> "Cut":
        """Parses the value that ``as_row`` returns."""
        return cls(**(row | {"others": tuple(row["others"])}))


class ScanCutter:
    """Runs scans through the server's capture and judges them every few frames."""

    def __init__(self, *, pack: Pack, name: str, fusion: FusionModel, every: int) -> None:
        """Initialises the study with the models and the number of frames between two cuts."""
        self._pack = pack
        self._name = name
        self._fusion = fusion
        self._every = every
        self._analyst = FrameAnalyst(pack=pack, limits=FrameLimits())

    def cut(self, scan: CutScan) -> list[Cut]:
        """Judges the scan at every length, up to the length at which the attempt is complete."""
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
            scan=observed,
            examined=examined,
            witnesses=capture.witnesses,
            pad_scores=capture.pad_scores,
            portrait=scan.portrait,
            calibration=calibration,
            liveness_policy=LivenessPolicy(),
            match_policy=policy,
            fusion=self._fusion,
            hints=(),
            too_slow=None,
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

"""The passive signals: each is one measurement of a whole scan, as a score and a sentence.

What they are measured in is computed beside this module: motion, repetition, the cues of single frames, and
the scores of the networks. ``liveness.fusion`` weighs them.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

import numpy as np

from liveness.express.cues import CueSummary, FrameCues, score_of_cue, summarise_cue
from liveness.express.motion import (
    FEWEST_EYES,
    MotionStep,
    count_blinks,
    left_over_ratio,
    measure_nose,
    motion_steps,
    movement,
    open_level,
    typical_face_width,
)
from liveness.express.pad_network import PadScore, network_medians
from liveness.express.repetition import Repetition, RepetitionFinding, find_repetition
from liveness.express.settings import CueLine, ExpressSettings
from liveness.extent import face_extent
from liveness.observation import ScanObservations
from liveness.policy import CaptureKind
from liveness.verdict import NEITHER, NamedSignal, Signal, VerdictReason, network_log_odds, score_against_line

_LINES: Final = ExpressSettings()


@dataclass(frozen=True, eq=False, kw_only=True)
class PassiveEvidence:
    """What the signals of a scan are measured in. What several of them need is computed once.

    Attributes:
        pad_scores: The scores of the PAD networks, of frames spread over the scan; empty without networks.
        cues: The single-frame cues of selected frames; empty if they were not measured.
    """

    scan: ScanObservations
    pad_scores: Sequence[PadScore] = ()
    cues: Sequence[FrameCues] = ()

    @cached_property
    def steps(self) -> tuple[MotionStep, ...]:
        """The scan's ``motion_steps``."""
        return motion_steps(self.scan)

    @cached_property
    def repetition(self) -> RepetitionFinding | None:
        """The scan's ``find_repetition``."""
        return find_repetition(self.scan, _LINES)


class ExpressSignal(NamedSignal, ABC):
    """One named measurement of a whole scan."""

    over_time: ClassVar[bool] = False
    """Whether it is measured between frames, and therefore not in still images."""
    against: ClassVar[VerdictReason | None] = None
    """The reason that is named if it counts against life; ``None`` if it never does. The fusion model has the
    weight."""

    @abstractmethod
    def assess(self, evidence: PassiveEvidence) -> Signal:
        """Measure a scan; the signal is not assessed if the scan has too little data."""


class PadNetworks(ExpressSignal):
    """The mean over the networks of the log odds of each network's median over the frames, as a probability.

    With the median, no minority of frames decides.
    """

    name = "pad_network"
    label = "Looks real to the network"
    against = VerdictReason.NETWORK_SEES_ATTACK

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without scores."""
        scores = evidence.pad_scores
        if not scores:
            return self.unknown("No frame was suitable for a PAD network, or the pack has none.")
        medians = network_medians(scores)
        odds = float(np.mean([network_log_odds(median) for median in medians.values()]))
        frames = len({score.frame_index for score in scores})
        listed = ", ".join(f"{network} {median:.2f}" for network, median in medians.items())
        return self.scored(
            1 / (1 + math.exp(-odds)), f"Probability of a real face (frames examined: {frames}): {listed}."
        )


# The signal of a face that moves as a body with depth, not as a flat picture.
#
# Two views of a plane are related by a homography (Hartley and Zisserman, Multiple View Geometry,
# 2nd ed., 13.1). A turning head and a talking mouth leave motion that no homography explains.

_PLANE_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class PlanarMotion(ExpressSignal):
    """Left-over motion over motion, the 80th percentile over the scan's tracked frames."""

    name = "planar_motion"
    label = "Moves like a head, not like a sheet"
    over_time = True
    against = VerdictReason.MOVES_AS_A_PLANE

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the face hardly moves or is too small."""
        steps = evidence.steps
        if len(steps) < _LINES.minimum_steps:
            return self.unknown(f"The face could be followed in {len(steps)} frames only.")
        if (width := typical_face_width(evidence.scan)) < _LINES.minimum_face_width:
            return self.unknown(
                f"The face is too small to measure its depth ({width:.0f} pixels in the view)."
            )
        moved = movement(steps)
        if moved < _LINES.least_motion:
            return self.unknown(
                f"The face moved by {100 * moved:.2f} % of its width, too little to measure its depth."
            )
        ratio = left_over_ratio(steps)
        score = score_against_line(ratio, _LINES.plane_line, _PLANE_STEEPNESS)
        found = "more than a flat picture leaves" if score >= 0.5 else "as little as a flat picture leaves"
        return self.scored(
            score, f"A plane's motion leaves {100 * ratio:.1f} % of the movement unexplained, {found}."
        )


# The signal of eyes and mouth that move independently of the rest of the face.
#
# Two frames of the face are aligned as if the face were flat. All parts of a flat image then match equally
# well. In a living face, a blink, a glance or a word changes the eyes or the mouth more than the rest.

_PART_STEEPNESS = 3.0
_MOUTH_SHARE = 0.8
"""The weight of the mouth's change. Lips have long edges, which show a misalignment more than other parts."""

_NOISE_FLOOR = 1e-4
_STRONG_CHANGES = 90
"""The percentile of the changes that represents the strong ones, because eyes and mouth move only
sometimes."""


class MicroMotion(ExpressSignal):
    """The change of eyes or mouth over the change of the rest: the 90th percentile over the frames.

    A head that turns does not align as a plane: all its parts differ, which hides the movement of eyes and
    mouth. A lack of such movement therefore counts against a face only if the face moves like a flat picture.
    """

    name = "micro_motion"
    label = "Eyes and mouth move within the face"
    over_time = True
    against = VerdictReason.NO_SIGN_OF_LIFE

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``."""
        changes = [step.change for step in evidence.steps if step.change is not None]
        if len(changes) < _LINES.minimum_steps:
            return self.unknown(f"The face could be followed in {len(changes)} frames only.")
        if (width := typical_face_width(evidence.scan)) < _LINES.minimum_face_width:
            return self.unknown(
                f"The face is too small to measure eyes and mouth ({width:.0f} pixels in the view)."
            )
        rest = np.array([change.rest for change in changes]) + _NOISE_FLOOR
        eyes = float(np.percentile(np.array([change.eyes for change in changes]) / rest, _STRONG_CHANGES))
        mouth = float(np.percentile(np.array([change.mouth for change in changes]) / rest, _STRONG_CHANGES))
        strongest = max(eyes, _MOUTH_SHARE * mouth)
        score = score_against_line(strongest, _LINES.part_line, _PART_STEEPNESS)
        if score < 0.5 and left_over_ratio(evidence.steps) >= _LINES.plane_line:
            return self.unknown(
                "The head moves in depth, so eyes and mouth cannot be compared with the rest."
            )
        part = "eyes" if eyes >= _MOUTH_SHARE * mouth else "mouth"
        found = "by themselves" if score >= 0.5 else "no more than a picture's"
        return self.scored(
            score, f"The {part} changed {strongest:.1f} times as much as the rest of the face: {found}."
        )


# The signal of a face that is too still to be alive.
#
# A person who holds still sways with breath and pulse, and a phone in the hand sways too. A print on a stand
# in front of a camera on a stand shows only the camera's noise.

_STILLNESS_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Stillness(ExpressSignal):
    """The movement of the face within a second, the 80th percentile over the scan.

    Movement alone is no sign of life, so the score never exceeds 0.5, which counts for neither side.
    """

    name = "stillness"
    label = "Not unnaturally still"
    over_time = True
    against = VerdictReason.NO_SIGN_OF_LIFE

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``."""
        steps = evidence.steps
        if len(steps) < _LINES.minimum_steps:
            return self.unknown(f"The face could be followed in {len(steps)} frames only.")
        moved = movement(steps)
        score = min(0.5, score_against_line(moved, _LINES.stillness_line, _STILLNESS_STEEPNESS))
        found = (
            "as a held phone and a breathing person do" if score >= 0.5 else "as little as a print on a stand"
        )
        return self.scored(
            score, f"The face moves by {100 * moved:.2f} % of its width within a second, {found}."
        )


_SURROUNDINGS_STEEPNESS = 4.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Surroundings(ExpressSignal):
    """Scores low if the background moves with the face, as it does on a sheet or a screen.

    The plane of the face is extended over the background. The measurement is the median, over the steps in
    which the face moved, of the background's deviation from that plane's motion, divided by the face's
    movement: near 0 if both move together. Independent movement is no sign of life, because a cut-out moves
    independently too, so the score never exceeds 0.5, which counts for neither side.
    """

    name = "surroundings"
    label = "Moves apart from the background"
    over_time = True
    against = VerdictReason.MOVES_AS_A_PLANE

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the background is plain or the face hardly moves."""
        if (width := typical_face_width(evidence.scan)) < _LINES.minimum_face_width:
            return self.unknown(f"The face is too small to compare ({width:.0f} pixels in the view).")
        ratios = [
            step.surroundings / step.moved
            for step in evidence.steps
            if step.surroundings is not None and step.moved >= _LINES.surroundings_motion
        ]
        if len(ratios) < _LINES.minimum_steps:
            return self.unknown(
                f"Face and background could be compared in {len(ratios)} frames only: the background is "
                "plain or the face moved little."
            )
        ratio = float(np.median(ratios))
        score = min(0.5, score_against_line(ratio, _LINES.surroundings_line, _SURROUNDINGS_STEEPNESS))
        found = "they move apart" if score >= 0.5 else "they move together, as a sheet or a screen does"
        return self.scored(
            score,
            "The motions of face and background differ by "
            f"{100 * ratio:.0f} % of the face's motion: {found}.",
        )


_NOSE_STEEPNESS = 0.8
_HIGHEST_NOSE = 0.97
"""The highest score, from an evidence of 4.8 on. With 0.9 (3.2), a clear nose shows depth only if a plane
leaves 19 % of the motion unexplained. 55 simulated sheets have an evidence of 2.5 or less."""
_LOWEST_NOSE = 0.1
_LEAST_FOLLOWED = 0.5
"""The least share of the tracked frames (``NoseFinding.share``) by which a nose is judged."""


class PoseConsistency(ExpressSignal):
    """The correlation of parallax with a nose's shape, over all points of all tracked segments.

    A nose always counts for a head. The lack of a nose counts against a head only if the head seems to turn,
    because a head that hardly moves does not show its nose. A waved sheet does not look like a turn.
    """

    name = "pose_consistency"
    label = "Has a head's depth when it turns"
    over_time = True
    against = VerdictReason.MOVES_AS_A_PLANE

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; not assessed if the head hardly turns and shows no nose."""
        if (width := typical_face_width(evidence.scan)) < _LINES.minimum_face_width:
            return self.unknown(
                f"The face is too small to measure its depth ({width:.0f} pixels in the view)."
            )
        found = measure_nose(evidence.scan)
        if found is None or found.frames < _LINES.minimum_steps:
            return self.unknown("The face could be followed in too few frames.")
        if found.share < _LEAST_FOLLOWED:
            return self.unknown("The face moved so fast that its points were lost too often.")
        if found.moved < _LINES.least_motion:
            return self.unknown(
                f"The face moved by {100 * found.moved:.2f} % of its width, too little to measure its depth."
            )
        if found.evidence < _LINES.nose_evidence and found.turned < _LINES.least_turn:
            return self.unknown(
                f"The head turned by {found.turned:.0f} degrees, too little to measure its depth."
            )
        score = 1 / (1 + math.exp(-_NOSE_STEEPNESS * (found.evidence - _LINES.nose_line)))
        seen = "the nose stood out" if score >= 0.5 else "no nose stood out, as on a sheet or paper mask"
        return self.scored(
            min(_HIGHEST_NOSE, max(_LOWEST_NOSE, score)),
            f"While the head moved, {seen} (evidence {found.evidence:.1f}).",
        )


_BLINK_SCORE = 0.95
"""The score of any number of blinks."""


class Blink(ExpressSignal):
    """A short fall and recovery of both eyes' aspect ratio (Soukupova and Cech, CVWW 2016).

    Each eye is compared with its own open level, so that narrow eyes blink, too.

    People blink every 3 to 6 seconds. A short scan without a blink therefore proves nothing, and the signal
    is not assessed.
    """

    name = "blink"
    label = "Blinks"
    over_time = True

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        seen = [(frame.capture_time, frame.eyes) for frame in evidence.scan.usable if frame.eyes is not None]
        if len(seen) < FEWEST_EYES:
            return self.unknown(
                "No frame shows eyes, or the pack has no eye outlines."
                if not seen
                else "The eyes were measured in too few frames."
            )
        times, eyes = [time for time, _ in seen], [pair for _, pair in seen]
        if open_level(eyes).min() < _LINES.eyes_shut_level:
            return self.unknown("The eyes were not open long enough to measure a blink.")
        blinks = count_blinks(times, eyes, _LINES)
        if blinks == 0:
            return self.unknown(
                f"No blink in {times[-1] - times[0]:.1f} s, which proves nothing in so short a time."
            )
        return self.scored(
            _BLINK_SCORE, f"{blinks} {'blink' if blinks == 1 else 'blinks'} in {times[-1] - times[0]:.1f} s."
        )


class CueSignal(ExpressSignal):
    """A signal whose value is the median of the single-frame cue of its name over the frames."""

    unseen: ClassVar[str]
    """The reason if no frame has the cue, as a sentence."""
    against = VerdictReason.SHOWS_A_MEDIUM

    @abstractmethod
    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """Return the signal's detail: the measurement in plain words, with numbers."""

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``."""
        found = summarise_cue(evidence.cues, self.name)
        if found is None:
            return self.unknown(self.unseen)
        lines: CueLine = getattr(_LINES, self.name)
        return self.scored(score_of_cue(found.value, lines), self.detail(found, lines))


class Moire(CueSignal):
    """The median strength of the pattern over the frames."""

    name = "moire"
    label = "No pattern of screen pixels"
    unseen = "No frame shows enough of the face in its own pixels."

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "a pattern" if found.value > lines.line else "no pattern"
        return (
            f"The face shows {what} of screen pixels: one spatial frequency stands out by a factor of "
            f"{found.value:.1f} in {found.counted} (line {lines.line:.1f})."
        )


class MediumBorder(CueSignal):
    """The median completeness of a border over the frames."""

    name = "medium_border"
    label = "No border of a sheet or device"
    unseen = "No frame shows enough around the face."

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "a border" if found.value > lines.line else "no border"
        return (
            f"The face has {what} around it: straight edges enclose {100 * found.value:.0f} % of it "
            f"in {found.counted} (line {100 * lines.line:.0f} %)."
        )


class SpecularHighlights(CueSignal):
    """The median strength of the highlights over the frames."""

    name = "specular_highlights"
    label = "Shine of skin"
    unseen = "No frame shows a face large enough to measure the highlights of its skin."

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "as those of skin are" if found.value >= lines.line else "flatter than those of skin"
        return (
            f"Highlights are {found.value:.2f} brighter than their surroundings in {found.counted}, {what} "
            f"(line {lines.line:.2f})."
        )


class ColourGamut(CueSignal):
    """The median range of tones and skin colour over the frames."""

    name = "colour_gamut"
    label = "Colours of a scene"
    unseen = "No frame shows a whole face in colour and enough light."

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        what = "as wide as a scene's" if found.value >= lines.line else "as narrow as a recaptured image's"
        return (
            f"The range of tones and skin colours is {what} "
            f"({found.value:.2f} in {found.counted}; line {lines.line:.2f})."
        )


class BlurDepth(CueSignal):
    """The median softness over the frames."""

    name = "blur_depth"
    label = "Sharper than a recapture"
    unseen = "No frame shows a face large enough to measure its detail."

    def detail(self, found: CueSummary, lines: CueLine) -> str:
        """See ``CueSignal.detail``."""
        soft = "as soft as a recaptured image" if found.value > lines.line else "sharp enough"
        return f"The face is {soft} (softness {found.value:.2f} in {found.counted}; line {lines.line:.2f})."


class FrozenFrames(ExpressSignal):
    """Whether frames freeze or loop. Such frames were injected and do not come from a camera."""

    name = "frozen_frames"
    label = "Every frame is new"
    over_time = True

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; the score is 0.5 (neutral) if no frames repeat, else 0."""
        finding = evidence.repetition
        if finding is None:
            return self.unknown(f"{len(evidence.scan.frames)} frames are too few to find repeated ones.")
        score = 0.5 if finding.kind is Repetition.NONE else 0.0
        return self.scored(score, finding.detail)


_SHARPNESS_STEEPNESS = 1.5
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class Sharpness(ExpressSignal):
    """The median sharpness of the face over the scan. Small prints and recaptured screens are soft."""

    name = "sharpness"
    label = "Sharp"

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``."""
        values = [frame.sharpness for frame in evidence.scan.usable if frame.sharpness is not None]
        if not values:
            return self.unknown("No frame shows exactly one face.")
        typical = float(np.median(values))
        return self.scored(
            score_against_line(typical, _LINES.sharpness_line, _SHARPNESS_STEEPNESS),
            f"Sharpness of the face {typical:.0f}; {_LINES.sharpness_line:.0f} is enough.",
        )


class HeadPoseSignal(ExpressSignal):
    """The median yaw and pitch over the scan. The score is 1 if frontal, 0.5 at the limit, 0 at twice it."""

    name = "head_pose"
    label = "Looks at the camera"

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``."""
        poses = [frame.pose for frame in evidence.scan.usable if frame.pose is not None]
        if not poses:
            return self.unknown("No frame shows exactly one face.")
        yaw = float(np.median([abs(pose.yaw) for pose in poses]))
        pitch = float(np.median([abs(pose.pitch) for pose in poses]))
        worst = max(yaw / _LINES.largest_yaw, pitch / _LINES.largest_pitch)
        return self.scored(
            1 - worst / 2, f"The head is turned by {yaw:.0f} and tilted by {pitch:.0f} degrees."
        )


_AREA_STEEPNESS = 3.0
"""The log odds for each e-fold of the ratio to the line; see ``score_against_line``."""


class FaceArea(ExpressSignal):
    """The median share of the frame that the face fills. In a recaptured photo the face is small."""

    name = "face_area"
    label = "Face fills the frame"

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``."""
        shares = []
        for frame in evidence.scan.usable:
            if frame.face is not None:
                extent = face_extent(frame.face)
                shares.append(extent.width * extent.height / (frame.width * frame.height))
        if not shares:
            return self.unknown("No frame shows exactly one face.")
        share = float(np.median(shares))
        large_enough = score_against_line(share, _LINES.smallest_area, _AREA_STEEPNESS)
        small_enough = 1 - score_against_line(share, _LINES.largest_area, _AREA_STEEPNESS)
        return self.scored(
            min(large_enough, small_enough), f"The face fills {100 * share:.0f} % of the frame."
        )


class EyesOpen(ExpressSignal):
    """The share of the frames with open eyes. A person who sleeps or is unconscious does not consent."""

    name = "eyes_open"
    label = "Eyes open"

    def assess(self, evidence: PassiveEvidence) -> Signal:
        """See ``ExpressSignal.assess``; not assessed without dense landmarks."""
        values = [frame.eyes_open for frame in evidence.scan.usable if frame.eyes_open is not None]
        if not values:
            return self.unknown("No frame shows eyes, or the pack has no eye outlines.")
        share = float(np.mean([value >= _LINES.eyes_shut_level for value in values]))
        return self.scored(share, f"The eyes are open in {100 * share:.0f} % of the frames.")


SIGNALS: Final[tuple[ExpressSignal, ...]] = (
    PadNetworks(),
    PlanarMotion(),
    MicroMotion(),
    Blink(),
    Stillness(),
    Surroundings(),
    PoseConsistency(),
    Moire(),
    MediumBorder(),
    SpecularHighlights(),
    ColourGamut(),
    BlurDepth(),
    FrozenFrames(),
    Sharpness(),
    HeadPoseSignal(),
    EyesOpen(),
    FaceArea(),
)
"""Every signal, in the order of results."""

_NO_TIMES = "Still images have no times, so nothing is measured between them."


def express_signals(
    evidence: PassiveEvidence, *, capture: CaptureKind = CaptureKind.SCAN
) -> tuple[Signal, ...]:
    """Return every signal, in the order of results, before the fusion weighs them.

    Still images have no times, so the signals over time are not assessed for them.
    """
    return tuple(
        signal.unknown(_NO_TIMES)
        if capture is not CaptureKind.SCAN and signal.over_time
        else signal.assess(evidence)
        for signal in SIGNALS
    )


_DEPTH: Final = frozenset({PlanarMotion.name, PoseConsistency.name})
"""The signals of depth: parallax over the whole face, and parallax of the nose."""
_SUREST: Final = 0.99
"""The limit of a score, so that one signal of depth does not decide alone."""


def depth_odds(signals: Iterable[Signal]) -> float:
    """Return the log odds that the motion shows the depth of a head; 0 if no signal of depth is assessed.

    Args:
        signals: Express' signals; those that do not measure depth are ignored.
    """
    scores = (one.score for one in signals if one.name in _DEPTH and one.score is not None)
    held = (min(_SUREST, max(1 - _SUREST, score)) for score in scores)
    return sum(math.log(score / (1 - score)) for score in held)


def measure_depth(scan: ScanObservations) -> float:
    """Return ``depth_odds`` of a scan, which may still be running. This takes a few milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces and poses are read.
    """
    evidence = PassiveEvidence(scan=scan)
    return depth_odds((PlanarMotion().assess(evidence), PoseConsistency().assess(evidence)))


# Finds signs of life: motion that a still sheet or an object does not have.
#
# They are required for LIVE and do not count for it, because a replayed person has them too.

LIFE_SIGNS: Final = frozenset({PlanarMotion.name, MicroMotion.name})


def life_signs(signals: Iterable[Signal]) -> tuple[Signal, ...]:
    """Return the signals that can be signs of life and were assessed.

    A blink is not one of them: a mask with eye holes has it too.

    Args:
        signals: Express' signals; the others are ignored.
    """
    return tuple(one for one in signals if one.name in LIFE_SIGNS and one.score is not None)


def has_sign_of_life(scan: ScanObservations) -> bool:
    """Return whether a scan, which may still be running, shows a sign of life; some milliseconds of CPU.

    Args:
        scan: The scan; its motion segments and its frames' faces are read.
    """
    evidence = PassiveEvidence(scan=scan)
    found = life_signs((PlanarMotion().assess(evidence), MicroMotion().assess(evidence)))
    return any(one.score is not None and one.score >= NEITHER for one in found)

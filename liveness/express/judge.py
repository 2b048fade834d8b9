"""The judgement of an express scan: assesses every signal and fuses them."""

from collections.abc import Sequence
from typing import Protocol

from liveness.express.cues import FrameCues
from liveness.express.face import Blink, EyesOpen, FaceArea, HeadPoseSignal, Sharpness
from liveness.express.frame_cues import BlurDepth, ColourGamut, MediumBorder, Moire, SpecularHighlights
from liveness.express.motion import (
    MicroMotion,
    PlanarMotion,
    PoseConsistency,
    Stillness,
    Surroundings,
    motion_steps,
)
from liveness.express.pad_network import PadNetworks, PadScore, network_medians, stretch_medians
from liveness.express.repetition import FrozenFrames, RepetitionFinding, find_repetition
from liveness.express.settings import ExpressSettings
from liveness.fusion import fuse
from liveness.fusion_model import FusionModel
from liveness.observation import ScanObservations
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.verdict import LivenessResult, Signal, not_assessed

_OVER_TIME = frozenset(
    {
        "planar_motion",
        "micro_motion",
        "blink",
        "stillness",
        "surroundings",
        "pose_consistency",
        "frozen_frames",
    }
)
_NO_TIMES = "Still images have no times, so nothing is measured between them."


class ExpressSignal(Protocol):
    """One named measurement of a whole scan."""

    @property
    def name(self) -> str:
        """``Signal.name``."""
        ...

    @property
    def label(self) -> str:
        """``Signal.label``."""
        ...

    def assess(self, scan: ScanObservations, settings: ExpressSettings) -> Signal:
        """Measure ``scan``; the signal is not assessed if the scan has too little data."""
        ...


def judge_express(
    *,
    scan: ScanObservations,
    pad_scores: Sequence[PadScore],
    policy: LivenessPolicy,
    model: FusionModel,
    cues: Sequence[FrameCues] = (),
    too_slow: bool = False,
) -> LivenessResult:
    """Judge one attempt.

    Args:
        scan: The attempt's frames and motion (``liveness.watch.ScanCollector.observations``).
        pad_scores: The scores of the pack's PAD networks, of frames spread over the scan; empty without
            networks.
        policy: Thresholds of the check's policy.
        model: The fusion model (``liveness.fusion_model.load_fusion_model()``).
        cues: The single-frame cues of selected frames; empty if they were not measured.
        too_slow: Whether fewer frames a second arrived than the motion signals need.
    """
    used = ExpressSettings()
    # 1. Find repeated frames, which a camera does not make.
    repetition = find_repetition(scan, used) if policy.capture is CaptureKind.SCAN else None
    # 2. Score every signal.
    signals = express_signals(scan, pad_scores, repetition, used, cues=cues, capture=policy.capture)
    # 3. Fuse them: the networks decide, all others count against life only.
    return fuse(
        signals=signals,
        networks=network_medians(pad_scores),
        stretches=stretch_medians(pad_scores) if policy.capture is CaptureKind.SCAN else (),
        repetition=repetition,
        frames=len(scan.frames),
        usable_frames=len(scan.usable),
        duration=scan.duration,
        policy=policy,
        model=model,
        too_slow=too_slow,
    )


def express_signals(
    scan: ScanObservations,
    pad_scores: Sequence[PadScore],
    repetition: RepetitionFinding | None,
    settings: ExpressSettings,
    *,
    cues: Sequence[FrameCues] = (),
    capture: CaptureKind = CaptureKind.SCAN,
) -> tuple[Signal, ...]:
    """Return every express signal of ``scan``, in a fixed order, before the fusion weighs them.

    Still images have no times, so the signals over time are not assessed for them.
    """
    steps = motion_steps(scan)
    every: tuple[ExpressSignal, ...] = (
        PadNetworks(pad_scores),
        PlanarMotion(steps),
        MicroMotion(steps),
        Blink(),
        Stillness(steps),
        Surroundings(steps),
        PoseConsistency(),
        Moire(cues),
        MediumBorder(cues),
        SpecularHighlights(cues),
        ColourGamut(cues),
        BlurDepth(cues),
        FrozenFrames(repetition),
        Sharpness(),
        HeadPoseSignal(),
        EyesOpen(),
        FaceArea(),
    )
    return tuple(
        not_assessed(name=signal.name, label=signal.label, reason=_NO_TIMES)
        if capture is not CaptureKind.SCAN and signal.name in _OVER_TIME
        else signal.assess(scan, settings)
        for signal in every
    )

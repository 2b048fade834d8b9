"""The judgement of an express scan: assesses every signal and fuses them."""

from collections.abc import Sequence

from liveness.express.blink import Blink
from liveness.express.blur_depth import BlurDepth
from liveness.express.colour_gamut import ColourGamut
from liveness.express.eyes_open import EyesOpen
from liveness.express.face_area import FaceArea
from liveness.express.frozen_frames import FrozenFrames, RepetitionFinding, find_repetition
from liveness.express.head_pose import HeadPoseSignal
from liveness.express.interface import ExpressSignal, FrameCues, PadScore
from liveness.express.medium_border import MediumBorder
from liveness.express.micro_motion import MicroMotion
from liveness.express.moire import Moire
from liveness.express.motion_steps import motion_steps
from liveness.express.pad_network import PadNetworks, network_medians, stretch_medians
from liveness.express.planar_motion import PlanarMotion
from liveness.express.pose_consistency import PoseConsistency
from liveness.express.settings import ExpressSettings
from liveness.express.sharpness import Sharpness
from liveness.express.specular_highlights import SpecularHighlights
from liveness.express.stillness import Stillness
from liveness.express.surroundings import Surroundings
from liveness.fusion import fuse
from liveness.fusion_model import FusionModel
from liveness.observation import ScanObservations
from liveness.policy import CaptureKind, LivenessPolicy
from liveness.signal import Signal, not_assessed
from liveness.verdict import LivenessResult

__all__ = ["express_signals", "judge_express"]

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


def judge_express(
    *,
    scan: ScanObservations,
    pad_scores: Sequence[PadScore],
    policy: LivenessPolicy,
    model: FusionModel,
    cues: Sequence[FrameCues] = (),
    settings: ExpressSettings | None = None,
    too_slow: bool = False,
) -> LivenessResult:
    """Judges one attempt.

    Args:
        scan: The attempt's frames and motion (``liveness.collect.ScanCollector.observations``).
        pad_scores: The scores of the pack's PAD networks, of frames spread over the scan; empty without
            networks.
        policy: Thresholds of the check's policy.
        model: The fusion model (``liveness.fusion_model_file.load_fusion_model()``).
        cues: The single-frame cues of selected frames; empty if they were not measured.
        settings: Lines and limits of the signals; the defaults of ``ExpressSettings`` if None. The
            shipped model was fitted to the defaults.
        too_slow: Whether fewer frames a second arrived than the motion signals need.
    """
    used = ExpressSettings() if settings is None else settings
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
    """Returns every express signal of ``scan``, in a fixed order, before the fusion weighs them.

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

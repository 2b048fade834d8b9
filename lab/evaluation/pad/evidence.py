"""The input of the scorers: an image or a scan, its face, and the model outputs, each computed once.

The steps that several scorers share run once, and their CPU time is measured.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from attempt import (
    AttemptCapture,
    Frame,
    StillMeasurements,
    capture_clip,
    judge_clip,
    judge_still,
    observe_still,
    persons_of,
)
from lab.evaluation.match.photos import LIMITS
from liveness import FrameObservation, FusionModel, LivenessPolicy, LivenessResult
from liveness.express import FrameCues, PadScore, measure_frame_cues
from matcher import SubjectRule
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import Pack, PadNetwork

_T = TypeVar("_T")


class Stages:
    """Keeps the result and the cost of each step, and the steps that the current scorer has used.

    A scorer's time is that of all steps that it used, even if another scorer ran them first.
    """

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._spent: dict[str, float] = {}
        self._used: set[str] = set()

    def once(self, step: str, work: Callable[[], _T]) -> _T:
        """Return the result of a step, and run the step if it has not run yet.

        A step must not run another step, whose time would count twice. Run the steps that it needs first.
        """
        if step not in self._values:
            start = time.thread_time()
            self._values[step] = work()
            self._spent[step] = time.thread_time() - start
        self._used.add(step)
        found: _T = self._values[step]
        return found

    def begin(self) -> None:
        """Begin the next scorer: forget which steps were used, and keep their results and times."""
        self._used.clear()

    def milliseconds(self) -> float:
        """CPU time of the steps that the scorer has used, on the calling thread."""
        return 1000.0 * sum(self._spent[step] for step in self._used)


_POLICY: Final = LivenessPolicy()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JudgedParts:
    """The parts of the evidence that a scorer judges, and the model that judges them."""

    pad_scores: Sequence[PadScore]
    cues: Sequence[FrameCues]
    fusion: FusionModel


class PresentationEvidence(Protocol):
    """The evidence of one presentation."""

    @property
    def stages(self) -> Stages:
        """The steps that scorers used, and their time."""
        ...

    @property
    def found(self) -> bool:
        """Whether there is a face to judge."""
        ...

    def network_scores(self, network: PadNetwork) -> Sequence[PadScore]:
        """Return the scores of a network for its frames; empty without a face."""
        ...

    def cues(self) -> Sequence[FrameCues]:
        """Return the measurements of the cues of single frames; empty without a face."""
        ...

    def judge(self, parts: JudgedParts, *, step: str) -> LivenessResult:
        """Judge some parts of the evidence as the product judges all of it."""
        ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PictureEvidence:
    """The evidence of one image. Only the face of its subject is judged (``matcher.persons``).

    Attributes:
        image: Its upright pixels.
    """

    path: Path
    image: BgrImage
    pack: Pack
    subject: SubjectRule
    stages: Stages = field(default_factory=Stages)

    @property
    def face(self) -> DetectedFace | None:
        """The face of the subject."""
        faces = self.stages.once("detect", lambda: persons_of(self.image, self.pack, rule=self.subject))
        return faces[0] if faces else None

    @property
    def found(self) -> bool:
        """Whether there is a face."""
        return self.face is not None

    @property
    def landmarks(self) -> Landmarks | None:
        """Dense landmarks, if the pack finds any."""
        face, landmarker = self.face, self.pack.landmarker
        if face is None or landmarker is None:
            return None
        return self.stages.once("landmarks", lambda: landmarker.locate(self.image, face))

    def content(self) -> bytes:
        """The file's bytes.

        Raises:
            OSError: It cannot be read.
        """
        with self.path.open("rb") as stream:
            return stream.read(LIMITS.max_bytes)

    def network_scores(self, network: PadNetwork) -> Sequence[PadScore]:
        """Return one score, or none without a face."""
        face = self.face
        if face is None:
            return ()
        real = self.stages.once(f"network {network.name}", lambda: network.real_probability(self.image, face))
        return (PadScore(frame_index=0, network=network.name, real_probability=real),)

    def cues(self) -> Sequence[FrameCues]:
        """Return the cues of the image."""
        face = self.face
        if face is None:
            return ()
        return (self.stages.once("cues", lambda: measure_frame_cues(self.image, face, frame_index=0)),)

    def judge(self, parts: JudgedParts, *, step: str) -> LivenessResult:
        """Judge the image as ``AnalyzeImage`` does, but without the line from which networks are sure."""
        observation = self._observation()
        return self.stages.once(
            step,
            lambda: judge_still(
                StillMeasurements(observation=observation, pad_scores=parts.pad_scores, cues=parts.cues),
                policy=_POLICY,
                fusion=parts.fusion,
            ),
        )

    def _observation(self) -> FrameObservation:
        face, landmarks = self.face, self.landmarks
        faces = () if face is None else (face,)
        return self.stages.once(
            "observe",
            lambda: observe_still(self.image, faces=faces, landmarks=landmarks, index=0, capture_time=0.0),
        )


@dataclass(slots=True, eq=False, kw_only=True)
class ClipEvidence:
    """The evidence of one scan of a clip, captured as an attempt without a person to guide."""

    frames: Sequence[Frame]
    pack: Pack
    subject: SubjectRule
    stages: Stages = field(default_factory=Stages)
    _to_score: "_FacesToScore" = field(init=False)

    @property
    def found(self) -> bool:
        """Whether frames could be selected."""
        return bool(self._captured().selected)

    def network_scores(self, network: PadNetwork) -> Sequence[PadScore]:
        """Return the network's score of each frame that the attempt scores, spread over the scan."""
        indices = [score.frame_index for score in self._captured().pad_scores]
        return self.stages.once(
            f"network {network.name}",
            lambda: tuple(
                PadScore(
                    frame_index=index,
                    network=network.name,
                    real_probability=network.real_probability(pixels, face),
                )
                for index, (pixels, face) in zip(indices, self._to_score.faces, strict=True)
            ),
        )

    def cues(self) -> Sequence[FrameCues]:
        """Return the cues of a few of the selected frames."""
        return tuple(frame.cues for frame in self._examined().examined if frame.cues is not None)

    def judge(self, parts: JudgedParts, *, step: str) -> LivenessResult:
        """Judge the scan as the server judges an attempt in EXPRESS."""
        capture = self._examined()
        return self.stages.once(
            step,
            lambda: judge_clip(
                capture,
                pad_scores=parts.pad_scores,
                cues=parts.cues,
                policy=_POLICY,
                fusion=parts.fusion,
            ),
        )

    def _captured(self) -> AttemptCapture:
        return self.stages.once("capture", self._capture)

    def _capture(self) -> AttemptCapture:
        # Another scorer captures the scan again if a model failed, so nothing of a capture may be left.
        self._to_score = _FacesToScore()
        pack = replace(self.pack, pad_networks=(self._to_score,))
        return capture_clip(self.frames, pack=pack, subject=self.subject)

    def _examined(self) -> AttemptCapture:
        capture = self._captured()
        self.stages.once("examine", capture.examine_rest)
        return capture


class _FacesToScore:
    """Stands in for the PAD networks in a capture, and keeps the faces that they would score.

    So each network runs once in a step of its own, and its time is known.
    """

    name = "faces to score"

    def __init__(self) -> None:
        self.faces: list[tuple[BgrImage, DetectedFace]] = []

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        self.faces.append((image, face))
        return 0.5

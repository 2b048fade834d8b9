"""The input of the scorers: an image or a scan, its face, and the model outputs, each computed once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from attempt import observe_still, persons_of
from evaluation.match.pictures import LIMITS
from evaluation.pad.stages import Stages
from evaluation.scans import observe_scan, scored_frames
from liveness import CUE_FRAMES, ScanObservations, select_frames, spread_of
from liveness.express import FrameCues, PadScore, measure_frame_cues
from matcher import PHOTO_SUBJECT
from vision.face import BgrImage, DetectedFace, Landmarks
from vision.packs import Pack, PadNetwork

__all__ = ["ClipEvidence", "PictureEvidence", "PresentationEvidence"]


class PresentationEvidence(Protocol):
    """The evidence of one presentation."""

    @property
    def stages(self) -> Stages:
        """The steps that scorers used, and their time."""
        ...

    @property
    def observations(self) -> ScanObservations:
        """The measured frames."""
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


class PictureEvidence:
    """The evidence of one image. Only the face of its subject is judged (``matcher.persons``)."""

    def __init__(self, path: Path, image: BgrImage, pack: Pack) -> None:
        """Makes the evidence; no model is run yet.

        Args:
            path: The file, for its metadata.
            image: Its upright pixels.
            pack: Finds the face.
        """
        self.stages = Stages()
        self.image = image
        self._path = path
        self._pack = pack

    @property
    def face(self) -> DetectedFace | None:
        """The face of the subject."""
        faces = self.stages.once("detect", lambda: persons_of(self.image, self._pack, rule=PHOTO_SUBJECT))
        return faces[0] if faces else None

    @property
    def found(self) -> bool:
        """Whether there is a face."""
        return self.face is not None

    @property
    def landmarks(self) -> Landmarks | None:
        """Dense landmarks, if the pack finds any."""
        face, landmarker = self.face, self._pack.landmarker
        if face is None or landmarker is None:
            return None
        return self.stages.once("landmarks", lambda: landmarker.locate(self.image, face))

    def content(self) -> bytes:
        """The file's bytes.

        Raises:
            OSError: It cannot be read.
        """
        with self._path.open("rb") as stream:
            return stream.read(LIMITS.max_bytes)

    @property
    def observations(self) -> ScanObservations:
        """A scan of this one frame."""
        face, landmarks = self.face, self.landmarks

        def observe() -> ScanObservations:
            faces = () if face is None else (face,)
            still = observe_still(self.image, faces=faces, landmarks=landmarks, index=0, capture_time=0.0)
            return ScanObservations(frames=(still,), motion=())

        return self.stages.once("observe", observe)

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


class ClipEvidence:
    """The evidence of one scan of a clip, observed as a server observes it."""

    def __init__(self, frames: Sequence[tuple[float, BgrImage]], pack: Pack) -> None:
        """Makes the evidence; no model is run yet.

        Args:
            frames: Capture times in seconds, rising, and upright frames.
            pack: Finds faces.
        """
        self.stages = Stages()
        self._frames = frames
        self._pack = pack

    @property
    def observations(self) -> ScanObservations:
        """The observations of the whole scan."""
        return self.stages.once("watch", lambda: observe_scan(self._frames, self._pack))

    @property
    def found(self) -> bool:
        """Whether frames could be selected."""
        return bool(self._selected())

    def network_scores(self, network: PadNetwork) -> Sequence[PadScore]:
        """Return one score for each of some frames, spread over the scan."""
        chosen = [(frame.index, frame.face) for frame in scored_frames(self.observations.frames)]
        return self.stages.once(
            f"network {network.name}",
            lambda: tuple(
                PadScore(
                    frame_index=index,
                    network=network.name,
                    real_probability=network.real_probability(self._frames[index][1], face),
                )
                for index, face in chosen
                if face is not None
            ),
        )

    def cues(self) -> Sequence[FrameCues]:
        """Return the cues of a few of the selected frames."""
        faces = dict(self._selected())
        chosen = spread_of(tuple(faces), CUE_FRAMES)
        return self.stages.once(
            "cues",
            lambda: tuple(
                measure_frame_cues(self._frames[index][1], faces[index], frame_index=index)
                for index in chosen
            ),
        )

    def _selected(self) -> tuple[tuple[int, DetectedFace], ...]:
        observed = self.observations.frames
        faces = {frame.index: frame.face for frame in observed}
        return tuple((index, face) for index in select_frames(observed) if (face := faces[index]) is not None)

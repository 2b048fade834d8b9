"""A pack with models that use a known amount of CPU time."""

import time

import numpy as np

from vision.face import BgrImage, Box, DetectedFace, Embedding, Landmarks
from vision.packs import MatchCalibration, Pack, TemplateForm
from vision.packs.calibration import CalibrationRecord, ScorePoint

FACE = DetectedFace(box=Box(10.0, 10.0, 50.0, 60.0), confidence=0.9, five_points=np.ones((5, 2), np.float32))
IMAGE: BgrImage = np.zeros((64, 64, 3), np.uint8)


def burn(seconds: float) -> None:
    """Use ``seconds`` of this thread's CPU time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Detector:
    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        burn(0.004)
        return (FACE,)


class Landmarker:
    scheme = "ibug68"

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks:
        return Landmarks(points=np.zeros((68, 2), np.float32), scheme=self.scheme)


class Embedder:
    dimensions = 4

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        burn(0.008)
        return np.array([1, 0, 0, 0], np.float32)


class Network:
    name = "net"

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        raise ArithmeticError("the network failed")


def burning_pack(*, landmarks: bool = True) -> Pack:
    """The pack; its PAD network always raises."""
    return Pack(
        name="burning",
        version="0",
        evaluation_only=True,
        terms=(),
        files=(),
        detector=Detector(),
        landmarker=Landmarker() if landmarks else None,
        embedder=Embedder(),
        template_form=TemplateForm(model="burning", sha256="0" * 64, dimensions=4, preprocessing="none"),
        pad_networks=(Network(),),
        match_calibration=MatchCalibration(
            points=(ScorePoint(cosine=0.5, fmr_upper_bound=0.01),),
            record=CalibrationRecord(
                provenance="assumed",
                dataset="none",
                identities=0,
                genuine_pairs=0,
                impostor_pairs=0,
                command="none",
            ),
            embedder_sha256="0" * 64,
        ),
        runtime="pure Python",
    )

"""Photos, packs whose models use a known amount of CPU time, and output as plain text, for the tests."""

import re
import time
from pathlib import Path

import numpy as np

from vision.face import BgrImage, Box, DetectedFace, Embedding, Landmarks
from vision.packs import MatchCalibration, Pack, TemplateForm
from vision.packs.calibration import CalibrationRecord, ScorePoint


def plain(output: str) -> str:
    """A terminal's text, without colours and boxes, each run of blanks as one."""
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", output).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines if line.strip())


def small_set(faces: Path, folder: Path, *, prefixes: tuple[str, ...]) -> Path:
    """Some of the photos, with their part of the manifest."""
    folder.mkdir()
    lines = (faces / "manifest.csv").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines[1:] if line.startswith(prefixes)]
    (folder / "manifest.csv").write_text("\n".join([lines[0], *kept]) + "\n", encoding="utf-8")
    for line in kept:
        name = line.partition(",")[0]
        (folder / name).symlink_to((faces / name).resolve())
    return folder


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

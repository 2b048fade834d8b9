"""Results of analyses and their inputs, like real ones but without a model."""

import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from attempt.films import SelectedFrame, VideoStudy
from cli.analyze.report import Attack, FileKind, FileReport, FileVerdict, Problem, Thresholds
from liveness.express.pad_network import PadScore
from liveness.observation import FrameObservation, ScanObservations
from liveness.verdict import Signal, Verdict
from server.analysis.results import ImageStudy
from vision.face import BgrImage, Box, DetectedFace, Landmarks

BEGUN = datetime(2026, 2, 7, 10, 4, 55, 120_000, tzinfo=UTC)
NETWORK = "test_net"
_NAMES = (
    "sharpness",
    "eye_aspect_ratio",
    "head_pose",
    "face_area_ratio",
    "facial_symmetry",
    "lbp_texture",
    "exif_metadata",
    "fft_deepfake",
)
FACE = DetectedFace(
    box=Box(60.0, 50.0, 180.0, 200.0),
    confidence=0.97,
    five_points=np.array([[90, 100], [150, 102], [120, 130], [95, 160], [146, 161]], np.float32),
)


def picture(seed: int = 1) -> BgrImage:
    """Noise of 240 x 256 pixels."""
    return np.random.default_rng(seed).integers(0, 255, (256, 240, 3), np.uint8)


class Network:
    """A PAD network that gives every face the same score, with two crops."""

    name = NETWORK

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        return 0.75

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        return image[:16, :16], image[16:32, :16]


def picture_finding(*, full: bool = False, detail: str = "As it should be.") -> FileReport:
    """A LIVE image; the last of the eight signals has ``detail``."""
    signals = [Signal(name, name.title(), 0.81236, 0.125, True, "Fine.") for name in _NAMES]
    signals[-1] = Signal(_NAMES[-1], "GAN", 0.25, 0.125, False, detail)
    selfie = FileVerdict(
        verdict=Verdict.LIVE,
        confidence=0.74207,
        thresholds=Thresholds(0.54, 0.62, 0.58),
        signals=tuple(signals),
    )
    return FileReport(
        files=(Path("folder/selfie.jpg"),),
        kind=FileKind.IMAGE,
        request_id="lv_0123456789abcdef",
        started=BEGUN,
        finished=BEGUN + timedelta(milliseconds=50),
        selfie=selfie,
        fusion=_fusion(Verdict.INCONCLUSIVE) if full else None,
        assessment="No sign. Deepfakes were not assessed.",
        facts={"format": "JPEG"},
    )


def video_finding(verdict: Verdict = Verdict.SPOOF) -> FileReport:
    """A video with a judgement of the fusion."""
    return FileReport(
        files=(Path("clip.mp4"),),
        kind=FileKind.VIDEO,
        request_id="inf_0123456789abcdef01",
        started=BEGUN,
        finished=BEGUN + timedelta(seconds=2, milliseconds=100),
        fusion=_fusion(verdict),
        assessment="Deepfakes were not assessed.",
        values={"media_type": "video/mp4", "frames": 40},
    )


def problem_finding(code: str = "INVALID_REQUEST", message: str = "It is empty.") -> FileReport:
    """A file without a verdict."""
    return replace(
        picture_finding(),
        selfie=None,
        face_detected=False,
        assessment="",
        problem=Problem(code, message, reason="IMAGE_EMPTY"),
    )


def _fusion(verdict: Verdict) -> FileVerdict:
    return FileVerdict(
        verdict=verdict,
        confidence=0.125,
        thresholds=Thresholds(0.3, 0.7),
        signals=(
            Signal("pad_network", "Looks real to the network", 0.05, 0.6, False, "It looks printed."),
            Signal("planar_motion", "Moves like a head", 0.4, 0.4, False, "It moves as a sheet."),
            Signal("blink", "Blinks", None, 0.0, None, "Too short."),
        ),
        attack=Attack(number=2, name="screen_replay", confidence=0.525),
        explanations=("The PAD network sees an attack.", "It moves as a flat picture does."),
    )


def observation(index: int, *, left: float = 60.0, faces: int = 1) -> FrameObservation:
    """The observation of a frame."""
    shift = np.array([left - 60.0, 0.0], np.float32)
    face = replace(FACE, box=Box(left, 50.0, left + 120.0, 200.0), five_points=FACE.five_points + shift)
    return FrameObservation(
        index=index,
        capture_time=10.0 + index / 10,
        width=240,
        height=256,
        faces=faces,
        face=face if faces else None,
        sharpness=100.0 if faces else None,
        luminance=120.0 if faces else None,
        dark_fraction=0.0,
        saturated_fraction=0.0,
        pose=None,
        eyes=(0.3, 0.32) if faces else None,
        samples=np.random.default_rng(index).integers(0, 255, (64, 64), np.uint8),
        view=None,
        view_scale=1.0,
        followed=index % 2 == 1,
    )


def image_study() -> ImageStudy:
    """An image with one face, landmarks and a network's score."""
    points = np.random.default_rng(3).uniform(60, 180, (68, 2)).astype(np.float32)
    return ImageStudy(
        pixels=picture(),
        faces=(FACE,),
        landmarks=Landmarks(points=points, scheme="ibug68"),
        pad_scores=(PadScore(0, NETWORK, 0.75),),
    )


def video_study() -> VideoStudy:
    """Ten frames, two of them selected."""
    observations = ScanObservations(frames=tuple(observation(index) for index in range(10)), motion=())
    return VideoStudy(
        observations=observations,
        selected=tuple(
            SelectedFrame(index=index, capture_time=10 + index / 10, pixels=picture(index), face=FACE)
            for index in (2, 7)
        ),
        identified=frozenset({2, 7}),
        pad_scores=(PadScore(2, NETWORK, 0.75), PadScore(7, NETWORK, 0.5)),
        cues=(),
    )


def clip(frames: list[BgrImage], *, rate: int = 10) -> bytes:
    """The frames as an MP4 with H.264."""
    stored = io.BytesIO()
    with av.open(stored, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "18", "preset": "ultrafast"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
        container.mux(stream.encode())
    return stored.getvalue()


def sound_only() -> bytes:
    """An MP4 with a tone and no frames."""
    stored = io.BytesIO()
    tone: NDArray[np.float32] = np.sin(np.arange(1024 * 40, dtype=np.float32) / 20)[None]
    with av.open(stored, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        for start in range(0, tone.shape[1], 1024):
            part = np.ascontiguousarray(tone[:, start : start + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate = 16_000
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return stored.getvalue()

"""Records the light of simulated scans, so that every variant of the shape is judged on the same frames.

A scan runs as in ``research.dynamic``. Of it remain one small file: how each part of the face answered each
step, and the mesh of the face by the landmarks that the scan measured anyway.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.dynamic import DynamicPolicy, FlashModel, load_flash_model
from liveness.dynamic.measurement import FlashTrack, Sent, appearances, fit_response, measure_lag
from liveness.dynamic.measurement.cells import read_cells
from liveness.dynamic.measurement.shape import measure_shape
from research.dynamic.cases import Case, claimed_late, settings_of
from research.dynamic.drive import Link, ScanTrace, drive_scan
from research.dynamic.people import Person, photo_of
from simulator import Photo
from vision.face import BgrImage, DetectedFace, Landmarks, Points
from vision.geometry import similarity_transform
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Landmarker, Pack, load_pack

__all__ = ["AnsweredScan", "Recorder", "read_scan", "write_scan"]

_WIDTH, _HEIGHT, _RATE = 240, 320, 20.0
_BITS: Final = 12.0
_ANCHORS: Final = np.array([[-0.5, 0.0], [0.5, 0.0], [0.0, 0.57], [-0.41, 1.155], [0.41, 1.155]], np.float32)
"""The five points of the aligned face, eye distances; as in ``liveness.dynamic.measurement.sampling``."""


@dataclass(frozen=True, slots=True, eq=False)
class AnsweredScan:
    """The answers of one scan.

    Attributes:
        name: See ``research.dynamic.cases.Case``.
        kind: See there.
        ambient: See there.
        person: See there.
        renderer: See there.
        strength: ``Response.strength`` of the whole face.
        relief: The stretched ``ShapeFinding.relief``.
        uneven: The stretched ``ShapeFinding.uneven``.
        error: The stretched ``ShapeFinding.relief_error``.
        parts: Shape (s, k): the sum over each step's frames of the face's mean answer times the cell's.
        powers: Shape (s,): the same for the face's mean answer times itself.
        spread: Shape (k,): the standard error of each cell's answer over the mean answer.
        places: Shape (k, 2): row and column of each cell; see ``FaceCells``.
        mesh: Shape (n, 3): the landmarks in the axes of the aligned face, eye distances; the third is the
            height towards the camera. Empty without landmarks.
        eye_distance: Median distance of the eyes, over the width of the frame.
    """

    name: str
    kind: str
    ambient: str
    person: str
    renderer: str
    strength: float
    relief: float
    uneven: float
    error: float
    parts: NDArray[np.float64]
    powers: NDArray[np.float64]
    spread: NDArray[np.float64]
    places: NDArray[np.intp]
    mesh: NDArray[np.float64]
    eye_distance: float


@dataclass(slots=True)
class _KeptMeshes:
    """A landmarker that keeps what it found."""

    inner: Landmarker
    meshes: list[NDArray[np.float64]] = field(default_factory=list)

    @property
    def scheme(self) -> str:
        return self.inner.scheme

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        found = self.inner.locate(image, face)
        if found is not None and found.depth is not None:
            self.meshes.append(_aligned(found.points, found.depth, face.five_points))
        return found


def _aligned(points: Points, depth: NDArray[np.float32], five_points: Points) -> NDArray[np.float64]:
    """Return landmarks in the axes of the aligned face, shape (n, 3)."""
    matrix = similarity_transform(five_points, _ANCHORS)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    places = points.astype(np.float64) @ matrix[:, :2].T + matrix[:, 2]
    return np.column_stack([places, -scale * depth.astype(np.float64)])


class Recorder:
    """Simulates cases, and reduces them to their answers."""

    def __init__(self, assets: Path, people: Sequence[Person]) -> None:
        """Loads the packs.

        Raises:
            VisionError: A pack cannot be loaded.
        """
        cv2.setNumThreads(1)
        pack = load_pack(f"open:{assets / 'models'}", runtime=RuntimeOptions(providers="cpu"))
        self._pack: Pack = replace(pack, pad_networks=())
        self._portraits = load_pack("embedded")
        self._people = {person.key: person for person in people}
        self._photos: dict[str, Photo] = {}
        self._model = load_flash_model()

    def record(self, cases: Sequence[Case]) -> Iterator[tuple[Case, AnsweredScan | None]]:
        """Yield each case with its answers; ``None`` if its colours were not answered."""
        for case in cases:
            yield case, self._recorded(case)

    def _recorded(self, case: Case) -> AnsweredScan | None:
        if self._pack.landmarker is None:
            raise ValueError("the pack has no landmarks")
        kept = _KeptMeshes(self._pack.landmarker)
        settings = settings_of(case, width=_WIDTH, height=_HEIGHT, rate=_RATE)
        seed = hashlib.sha256(f"scan/{case.name}".encode()).digest()[:8]
        trace = drive_scan(
            self._photo(case.person),
            settings,
            pack=replace(self._pack, landmarker=kept),
            policy=DynamicPolicy(minimum_bits=_BITS),
            model=self._model,
            link=Link(),
            rng=np.random.default_rng(int.from_bytes(seed, "big")),
            claimed_late=claimed_late(case, settings),
        )
        return _answers(case, trace, kept.meshes, self._model)

    def _photo(self, key: str) -> Photo:
        if key not in self._photos:
            self._photos[key] = photo_of(self._people[key], pack=self._portraits, witness=self._pack)
        return self._photos[key]


def _answers(
    case: Case, trace: ScanTrace, meshes: Sequence[NDArray[np.float64]], model: FlashModel
) -> AnsweredScan | None:
    collected = FlashTrack()
    samples, sent, waiting = [], [], list(trace.revealed)
    for sample in trace.samples:
        while waiting and sample.arrival_time > waiting[0].at:
            one = waiting.pop(0)
            sent.append(Sent(step=one.step, at=one.at, after_capture=collected.latest_capture))
        if collected.add(sample):
            samples.append(sample)
    track = collected.view()
    shown = appearances(track, sent)
    lag, explained = measure_lag(track, shown)
    if lag is None or explained < model.lag.least_explained:
        return None
    response = fit_response(track, shown, lag=lag, settings=model.response)
    cells = read_cells(samples, track, shown, lag=lag)
    found = None if response is None or cells is None else measure_shape(cells, response)
    if response is None or cells is None or found is None:
        return None
    drive = cells.screen @ response.matrix.T
    numbers = np.unique(cells.steps)
    within = [cells.steps == number for number in numbers.tolist()]
    eyes = [
        one.face.eye_distance / _WIDTH
        for one in trace.observations.frames
        if one.face is not None and not one.followed
    ]
    return AnsweredScan(
        name=case.name,
        kind=str(case.kind),
        ambient=str(case.ambient),
        person=case.person,
        renderer=case.renderer,
        strength=response.strength,
        relief=found.stretch * found.relief,
        uneven=found.stretch * found.uneven,
        error=found.stretch * found.relief_error,
        parts=np.stack([np.einsum("tc,tkc->k", drive[at], cells.answers[at]) for at in within]),
        powers=np.array([(drive[at] ** 2).sum() for at in within]),
        spread=cells.errors(drive),
        places=cells.places,
        mesh=np.median(meshes, axis=0) if meshes else np.zeros((0, 3)),
        eye_distance=float(np.median(eyes)) if eyes else float("nan"),
    )


def write_scan(path: Path, scan: AnsweredScan) -> None:
    """Write a scan, whole or not at all."""
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as stream:
        np.savez(
            stream,
            texts=np.array([scan.name, scan.kind, scan.ambient, scan.person, scan.renderer]),
            numbers=np.array([scan.strength, scan.relief, scan.uneven, scan.error, scan.eye_distance]),
            parts=scan.parts,
            powers=scan.powers,
            spread=scan.spread,
            places=scan.places,
            mesh=scan.mesh,
        )
    unfinished.rename(path)


def read_scan(path: Path) -> AnsweredScan:
    """Read a scan that ``write_scan`` wrote.

    Raises:
        OSError: The file cannot be read.
    """
    with np.load(path, allow_pickle=False) as stored:
        name, kind, ambient, person, renderer = map(str, stored["texts"])
        strength, relief, uneven, error, eye_distance = map(float, stored["numbers"])
        return AnsweredScan(
            name,
            kind,
            ambient,
            person,
            renderer,
            strength,
            relief,
            uneven,
            error,
            parts=stored["parts"],
            powers=stored["powers"],
            spread=stored["spread"],
            places=stored["places"],
            mesh=stored["mesh"],
            eye_distance=eye_distance,
        )

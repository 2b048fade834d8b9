"""MediaPipe's Face Landmarker: 478 points in three dimensions.

Only the landmark network of ``face_landmarker.task`` is used. The pack's own detector
locates the face, by its five points, because the boxes of detectors differ too much.

Sources: Y. Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs",
CVPR Workshops 2019 (mesh); I. Grishchenko et al., "Attention Mesh", CVPR Workshops 2020 (lips, eyes and
irises); the region, the presence score and the order of points are those of
google-ai-edge/mediapipe, ``mediapipe/tasks/cc/vision/face_landmarker``.
"""

import contextlib
import io
import math
import os
import sys
import tempfile
import threading
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.errors import ModelFailed, PackFileUnusable
from vision.face import BgrImage, DetectedFace, Landmarks, Points
from vision.geometry import ARCFACE_SIZE, ARCFACE_TEMPLATE, similarity_transform

_MOST_BYTES = 32 * 1024 * 1024
_PLAIN = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


def read_task_members(content: bytes, *, name: str, members: Sequence[str]) -> tuple[bytes, ...]:
    """Return the named members of an archive; the others are not unpacked.

    ``members`` are exact names, without folders; ``name`` is the file's, for messages.

    Returns:
        The content of each, in the order of ``members``; each at most 32 MiB, its checksum verified.

    Raises:
        PackFileUnusable: The content is not a zip archive, or a member is missing, contained twice,
            encrypted, compressed in an unusual way, too large, or damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return tuple(_read(archive, member, name) for member in members)
    # The exceptions that zipfile and the decompressor raise for archives that break the rules.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise PackFileUnusable(
            f"{name} is not a readable MediaPipe .task file ({type(error).__name__}): expected a zip archive "
            f"with {' and '.join(members)}. Fetch the file again from its source."
        ) from error


def _read(archive: zipfile.ZipFile, member: str, name: str) -> bytes:
    found = [info for info in archive.infolist() if info.filename == member]
    if len(found) != 1:
        raise PackFileUnusable(
            f"{name} contains {member} {len(found)} times, expected once: it is another kind of .task file. "
            "Use MediaPipe's face_landmarker.task."
        )
    (info,) = found
    if info.compress_type not in _PLAIN or info.file_size > _MOST_BYTES:
        raise PackFileUnusable(
            f"{member} in {name} is {info.file_size} bytes in compression method {info.compress_type}: "
            f"expected at most {_MOST_BYTES} bytes, stored or deflated. Fetch the file again from its source."
        )
    # Data that unpack to more than the header states are cut there, and then fail the checksum.
    return archive.read(info)


# Runs TensorFlow Lite networks through LiteRT, shared by threads.
#
# An interpreter holds the tensors of its current run, so two threads may not share one. Making one takes
# tens of milliseconds, so idle ones are kept and reused. There are as many as there were threads at once.
# Each runs on one core. LiteRT releases Python's lock while it runs, so the callers' threads run in
# parallel.

_STDERR = 2
_GREETING = b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
_redirecting = threading.Lock()


class TfliteNetwork:
    """One network with one input; safe to call from several threads at once."""

    def __init__(
        self, content: bytes, *, name: str, input_shape: Sequence[int], output_sizes: Sequence[int]
    ) -> None:
        """Load a network and test that it is the expected one.

        Args:
            content: A TensorFlow Lite model; its content was verified, because the runtime does not guard
                against a hostile one.
            name: The network's name, for messages.
            input_shape: Shape of its one input of 32-bit floats.
            output_sizes: The number of values of each output of 32-bit floats, in order.

        Raises:
            PackFileUnusable: LiteRT cannot load it, or it has other inputs or outputs.
        """
        from ai_edge_litert.interpreter import Interpreter

        self._interpreter_class: Any = Interpreter
        self._content = content
        self._name = name
        try:
            with _without_greeting():
                first = self._make()
            inputs, outputs = first.get_input_details(), first.get_output_details()
        except (RuntimeError, ValueError) as error:
            raise PackFileUnusable(
                f"LiteRT cannot load {name} ({type(error).__name__}): expected a TensorFlow Lite model. "
                "Fetch the file again from its source."
            ) from error
        takes = [tuple(int(side) for side in each["shape"]) for each in inputs]
        gives = [int(np.prod(each["shape"])) for each in outputs]
        types = {each["dtype"] for each in (*inputs, *outputs)}
        if (takes, gives, types) != ([tuple(input_shape)], list(output_sizes), {np.float32}):
            raise PackFileUnusable(
                f"{name} takes {takes} and gives {gives} numbers, expected [{tuple(input_shape)}] and "
                f"{list(output_sizes)}: it is another version of the network. Use the catalogued file."
            )
        self._input = int(inputs[0]["index"])
        self._outputs = tuple(int(each["index"]) for each in outputs)
        self._idle: deque[Any] = deque([first])

    def run(self, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return the outputs for one input.

        Args:
            values: The input, in its shape.

        Returns:
            Every output, flat, in order; copies that belong to the caller.

        Raises:
            ModelFailed: LiteRT failed.
        """
        try:
            try:
                interpreter = self._idle.pop()
            except IndexError:
                interpreter = self._make()
            try:
                interpreter.set_tensor(self._input, values)
                interpreter.invoke()
                outputs = tuple(
                    np.asarray(interpreter.get_tensor(index), dtype=np.float32).ravel()
                    for index in self._outputs
                )
            finally:
                self._idle.append(interpreter)
        except (MemoryError, RuntimeError, ValueError) as error:
            raise ModelFailed(f"the network {self._name} failed ({type(error).__name__})") from error
        return outputs

    def _make(self) -> Any:
        interpreter = self._interpreter_class(model_content=self._content, num_threads=1)
        interpreter.allocate_tensors()
        return interpreter


@contextlib.contextmanager
def _without_greeting() -> Iterator[None]:
    """Keep LiteRT's greeting out of the terminal and pass on everything else that is written meanwhile.

    LiteRT has no setting for it. The first interpreter of a process prints a line directly to file
    descriptor 2.
    """
    with _redirecting, contextlib.ExitStack() as undo:
        try:
            stderr = os.dup(_STDERR)
        except OSError:
            # A service without stderr needs no filter.
            yield
            return
        undo.callback(os.close, stderr)
        caught = undo.enter_context(tempfile.TemporaryFile())
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            os.dup2(stderr, _STDERR)
            caught.seek(0)
            rest = caught.read().replace(_GREETING, b"")
            if rest:
                os.write(_STDERR, rest)


_SCHEME = "mediapipe478"
_LANDMARKS_MEMBER = "face_landmarks_detector.tflite"
_POINTS = 478
_MESH = 468
_INPUT_SIDE = 256
_REGION_SCALE = 1.5
_LEFT_EYE_CORNER, _RIGHT_EYE_CORNER = 33, 263
_PRESENT = 0.5

# The position of the mesh's middle in the template of the five points, and the size of the region in
# it: means over 178 photos, each with the region at which the landmarks settle.
_MIDDLE_IN_TEMPLATE = (56.0, 71.0)
_SIDE_IN_TEMPLATE = 1.283 * ARCFACE_SIZE
_LEAST_SIDE = 8.0

# A region that differs by more than this from the points found in it is corrected by them.
_MOST_SHIFT = 0.1
_MOST_TURN = math.radians(10)


def load_mediapipe_landmarker(content: bytes, *, name: str) -> "MediapipeLandmarker":
    """Load the landmarker from MediaPipe's ``face_landmarker.task``, whose content was verified.

    Raises:
        PackFileUnusable: The file is not such a file, or LiteRT cannot load its network.
    """
    (landmarks,) = read_task_members(content, name=name, members=(_LANDMARKS_MEMBER,))
    landmark_network = TfliteNetwork(
        landmarks,
        name=f"{_LANDMARKS_MEMBER} of {name}",
        input_shape=(1, _INPUT_SIDE, _INPUT_SIDE, 3),
        output_sizes=(3 * _POINTS, 1, 1),
    )
    return MediapipeLandmarker(landmark_network)


@dataclass(frozen=True, slots=True, eq=False)
class MediapipeLandmarker:
    """Locates 478 points with depth; implements ``vision.packs.interfaces.Landmarker``.

    A frame takes one run of the network. If the face turns far away or the five points are poor
    (6 of 100 photos), a second run uses the region that the first run's points give.
    """

    landmarks: TfliteNetwork

    @property
    def scheme(self) -> str:
        """``"mediapipe478"``."""
        return _SCHEME

    def locate(self, image: BgrImage, face: DetectedFace) -> Landmarks | None:
        """Return the landmarks of ``face`` in ``image``.

        Only the face's five points are used.

        Returns:
            ``None`` if the network finds no face at the five points (its presence score is below 0.5): a
            profile, a face behind a mask or a hand, or an object that the detector mistook for a face.

        Raises:
            ModelFailed: A network could not be run.
        """
        region = _region_of_five(face.five_points)
        if region is None:
            return None
        mesh, presence = self._run_landmarks(image, region)
        better = _region_of_mesh(mesh)
        if presence < _PRESENT or _apart(region, better):
            mesh, presence = self._run_landmarks(image, better)
        if presence < _PRESENT:
            return None
        return Landmarks(
            points=mesh[:, :2].astype(np.float32),
            scheme=_SCHEME,
            depth=mesh[:, 2].astype(np.float32),
        )

    def _run_landmarks(self, image: BgrImage, region: "_Region") -> tuple[NDArray[np.float64], float]:
        """Return the points in the image with their depth, shape (478, 3), and the presence score, 0..1."""
        matrix = region.matrix
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        try:
            crop = cv2.warpAffine(image, matrix, (_INPUT_SIDE, _INPUT_SIDE), flags=flags)
            rgb = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
        except cv2.error as error:
            raise ModelFailed(f"the face could not be cut out ({type(error).__name__})") from error
        raw, score, _ = self.landmarks.run(rgb[None].astype(np.float32) / np.float32(255))
        if not (np.isfinite(raw).all() and np.isfinite(score).all()):
            raise ModelFailed("the landmarks network gave values that are not numbers")
        # The network counts from the corner of the first pixel, Facegate from its centre.
        inside = raw.astype(np.float64).reshape(_POINTS, 3) - (0.5, 0.5, 0)
        mesh = np.column_stack(
            [inside[:, :2] @ matrix[:, :2].T + matrix[:, 2], inside[:, 2] * (region.side / _INPUT_SIDE)]
        )
        return mesh, 1 / (1 + math.exp(-float(np.clip(score[0], -50, 50))))


@dataclass(frozen=True, slots=True)
class _Region:
    """A rotated square around a face: middle and side in pixels, the eyes' line in radians."""

    x: float
    y: float
    side: float
    angle: float

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The transformation from the network's input to the image, pixels to pixels, shape (2, 3)."""
        scale, middle = self.side / _INPUT_SIDE, (_INPUT_SIDE - 1) / 2
        across, down = scale * math.cos(self.angle), scale * math.sin(self.angle)
        turn = np.array([[across, -down], [down, across]])
        return np.column_stack([turn, np.array([self.x, self.y]) - turn @ (middle, middle)])


def _region_of_five(five_points: Points) -> _Region | None:
    """Return the region by the pattern of the five points; ``None`` if they are no pattern of a face."""
    if not np.isfinite(five_points).all():
        return None
    matrix = similarity_transform(five_points, ARCFACE_TEMPLATE)
    turn = matrix[:, :2]
    scale = math.hypot(turn[0, 0], turn[1, 0])
    side = _SIDE_IN_TEMPLATE / scale if scale > 0 else math.inf
    if float(np.ptp(five_points, axis=0).max()) == 0 or not _LEAST_SIDE <= side < math.inf:
        return None
    x, y = np.linalg.solve(turn, _MIDDLE_IN_TEMPLATE - matrix[:, 2])
    return _Region(float(x), float(y), side, -math.atan2(turn[1, 0], turn[0, 0]))


def _region_of_mesh(mesh: NDArray[np.float64]) -> _Region:
    """Return the region that MediaPipe uses next, once the points are known."""
    outline = mesh[:_MESH, :2]
    low, high = outline.min(axis=0), outline.max(axis=0)
    x, y = (low + high) / 2
    across = outline[_RIGHT_EYE_CORNER] - outline[_LEFT_EYE_CORNER]
    side = max(_LEAST_SIDE, _REGION_SCALE * float((high - low).max()))
    return _Region(float(x), float(y), side, math.atan2(across[1], across[0]))


def _apart(one: _Region, other: _Region) -> bool:
    shift = math.hypot(other.x - one.x, other.y - one.y)
    turn = math.remainder(other.angle - one.angle, math.tau)
    return shift > _MOST_SHIFT * one.side or abs(turn) > _MOST_TURN

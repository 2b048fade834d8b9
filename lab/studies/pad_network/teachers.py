"""The public PAD networks that teach a student: their outputs and their features.

A network trained on hundreds of thousands of images contains more than a few hundred images can teach. The
features before its last layer have more information than its output (A. Romero et al., "FitNets", ICLR 2015;
G. Hinton et al., "Distilling the Knowledge in a Neural Network", 2015).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from lab.studies.pad_network.material import MaterialError
from vision.errors import VisionError
from vision.face import BgrImage, Box
from vision.geometry import clamped_crop, context_crop
from vision.graph_rewrite import create_fast_session
from vision.onnx_sessions import OnnxSession, RuntimeOptions
from vision.packs import StateFileError, load_catalogue, minifasnet_to_onnx, read_state
from vision.packs.catalogue import PadPreprocessing

FEATURES: Final = 128
"""Length of each teacher's features."""
_LARGE: Final = "minifas_v2se_celebaspoof_128.onnx"
_PAIR: Final = (
    ("2.7_80x80_MiniFASNetV2.pth", "MiniFASNetV2.onnx"),
    ("4_0_0_80x80_MiniFASNetV1SE.pth", "MiniFASNetV1SE.onnx"),
)


@dataclass(frozen=True, slots=True)
class Teacher:
    """A public network with its features as a second output.

    Attributes:
        session: Returns the logits, shape (n, classes), and the features, shape (n, 128).
    """

    name: str
    preprocessing: PadPreprocessing
    session: OnnxSession


def load_teachers(folder: Path) -> tuple[Teacher, ...]:
    """Load MiniFAS v2SE, which is required, and Silent-Face's pair if present.

    Raises:
        MaterialError: v2SE is missing, or a file is not such a network.
    """
    try:
        models = [((folder / _LARGE).read_bytes(), _LARGE)]
        models += [
            (minifasnet_to_onnx(read_state((folder / file).read_bytes())), name)
            for file, name in _PAIR
            if (folder / file).is_file()
        ]
        return tuple(_teacher(content, name) for content, name in models)
    except (OSError, StateFileError, VisionError, ValueError) as error:
        raise MaterialError(f"a teacher cannot be loaded: {error}") from error


def teacher_answers(
    teachers: Sequence[Teacher], image: BgrImage, box: Box
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the outputs of each teacher for a face.

    Returns:
        Probabilities of a bona fide presentation, shape (teachers,), and features, shape (teachers, 128).
    """
    probabilities, features = [], []
    for teacher in teachers:
        logits, inner = teacher.session.run(None, {_input(teacher.session): _blob(teacher, image, box)})
        weights = np.exp(logits[0] - logits[0].max())
        probabilities.append(weights[teacher.preprocessing.real_class] / weights.sum())
        features.append(inner[0])
    return np.array(probabilities, dtype=np.float32), np.array(features, dtype=np.float32)


def _teacher(content: bytes, name: str) -> Teacher:
    entry = load_catalogue().by_name(name)
    if entry is None or entry.pad is None:
        raise ValueError(f"the catalogue knows no {name}")
    model = onnx.load_from_string(content)
    # The last node is the classifier, and its input is the features.
    inner = model.graph.node[-1].input[0]
    model.graph.output.append(helper.make_tensor_value_info(inner, TensorProto.FLOAT, ["n", FEATURES]))
    session = create_fast_session(
        model.SerializeToString(),
        RuntimeOptions(providers="cpu"),
        name=name,
        input_range=(0.0, 255.0 / entry.pad.divide_by),
    )
    return Teacher(name=entry.name, preprocessing=entry.pad, session=session)


def _input(session: OnnxSession) -> str:
    entry: Any = session.get_inputs()[0]
    return str(entry.name)


def _blob(teacher: Teacher, image: BgrImage, box: Box) -> NDArray[np.float32]:
    wanted = teacher.preprocessing
    take = context_crop if wanted.crop == "reflect" else clamped_crop
    crop = take(image, box, wanted.crop_scale, wanted.size)
    if wanted.colour == "RGB":
        crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    return np.ascontiguousarray(
        (crop.astype(np.float32) / np.float32(wanted.divide_by)).transpose(2, 0, 1)[None]
    )

"""insightface without scikit-image."""

import subprocess
import sys

import numpy as np
from skimage.transform import SimilarityTransform as Reference

from vision.packs.insightface_library import SimilarityTransform

_WITHOUT = """
import sys
from importlib.util import find_spec

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"skimage", "scipy", "networkx", "imageio", "tifffile", "lazy_loader"}:
            raise ModuleNotFoundError(name, name=name)

sys.meta_path.insert(0, Absent())
from vision.packs.insightface_library import SimilarityTransform, import_insightface

insightface = import_insightface()
assert import_insightface() is insightface
face_align = insightface.utils.face_align
assert face_align.trans.SimilarityTransform is SimilarityTransform
image = __import__("numpy").zeros((90, 90, 3), "uint8")
cut, matrix = face_align.transform(image, (40.0, 50.0), 64, 0.5, 30)
assert cut.shape == (64, 64, 3) and matrix.shape == (2, 3)
assert not {"skimage", "skimage.transform", "scipy"} & set(sys.modules)
"""


def test_it_is_imported_without_scikit_image_and_what_that_needs() -> None:
    done = subprocess.run([sys.executable, "-c", _WITHOUT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_scikit_image_that_is_loaded_stays() -> None:
    program = (
        "import sys, skimage.transform\n"
        "from vision.packs.insightface_library import import_insightface\n"
        "import_insightface()\n"
        "from skimage.transform import SimilarityTransform\n"
        "assert sys.modules['skimage.transform'] is skimage.transform\n"
        "assert SimilarityTransform.__module__.startswith('skimage.')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_transform_is_that_of_scikit_image() -> None:
    steps: tuple[dict[str, object], ...] = (
        {"scale": 0.7},
        {"translation": (-31.0, 8.5)},
        {"rotation": 0.4},
        {"scale": 2.5, "rotation": -1.1, "translation": (3.0, 4.0)},
    )
    ours, theirs = SimilarityTransform(), Reference()
    for step in steps:
        ours, theirs = ours + SimilarityTransform(**step), theirs + Reference(**step)  # type: ignore[arg-type]
        np.testing.assert_array_equal(ours.params, theirs.params)

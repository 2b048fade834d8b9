"""Makes training samples in advance: crops of altered images, with the teachers' outputs.

Samples are in shards, each drawn from its own seed, so that a training run can be repeated and the folds of a
cross-validation share the work. A sample states its region, so that folds can leave it out.
"""

import io
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.packs.facegate_pad import TIGHT_SIDE, WIDE_SIDE, tight_and_wide
from lab.studies.pad_network.material import MaterialError, Region
from lab.studies.pad_network.recapture import as_print, as_screen, captured, jittered, turned_about
from lab.studies.pad_network.teachers import FEATURES, Teacher, teacher_answers
from vision.face import BgrImage, Box

RIM: Final = 8
"""Pixels around a sample's tight crop, so that training can move it."""
_LIVE: Final = 0.42
_SIMULATED: Final = 0.2
_UNALTERED: Final = 0.1
_PORTRAIT_WEIGHT: Final = 0.35


@dataclass(frozen=True, slots=True)
class Shard:
    """Samples of one seed.

    Attributes:
        tight: Shape (n, 128, 128, 3), uint8, BGR: the crop with its rim.
        wide: Shape (n, 80, 80, 3), uint8, BGR.
        is_live: Shape (n,), float32: 1 for a bona fide presentation.
        is_simulated: Shape (n,): whether the attack was simulated.
        region: Shape (n,): index of the region.
        probabilities: Shape (n, teachers): each teacher's probability of a bona fide presentation.
        features: Shape (n, teachers, 128): each teacher's features, as float16.
    """

    tight: NDArray[np.uint8]
    wide: NDArray[np.uint8]
    is_live: NDArray[np.float32]
    is_simulated: NDArray[np.bool_]
    region: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    features: NDArray[np.float16]


def make_shard(
    regions: Sequence[Region],
    chosen: Sequence[int],
    *,
    teachers: Sequence[Teacher],
    count: int,
    seed: int,
) -> Shard:
    """Draw and alter images.

    A source's share is proportional to the square root of its images of a kind, so that the one large source
    does not dominate the small ones, and a dozen images of one person do not count as much as hundreds.

    Args:
        chosen: Indices of the regions to draw from; they include bona fide images and attacks.
        teachers: The teachers whose outputs are stored with each sample.
    """
    random = np.random.default_rng(seed)
    live = np.array([index for index in chosen if regions[index].is_live])
    attacks = np.array([index for index in chosen if not regions[index].is_live])
    live_weights, attack_weights = _weights(regions, live), _weights(regions, attacks)
    shard = _empty(count, len(teachers))
    for row in range(count):
        is_live = random.random() < _LIVE
        is_simulated = not is_live and random.random() < _SIMULATED / (1 - _LIVE)
        drawn, weights = (live, live_weights) if is_live or is_simulated else (attacks, attack_weights)
        index = int(random.choice(drawn, p=weights))
        image, box = _altered(regions[index], is_simulated, random)
        shard.tight[row], shard.wide[row] = tight_and_wide(image, box, rim=RIM)
        shard.is_live[row], shard.is_simulated[row], shard.region[row] = is_live, is_simulated, index
        shard.probabilities[row], shard.features[row] = teacher_answers(teachers, image, box)
    return shard


def save_shard(path: Path, shard: Shard) -> None:
    """Write a shard.

    Raises:
        MaterialError: The file cannot be written.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **{name: getattr(shard, name) for name in Shard.__slots__})
    try:
        partial = path.with_suffix(".partial")
        partial.write_bytes(buffer.getvalue())
        partial.replace(path)
    except OSError as error:
        raise MaterialError(f"{path.name} cannot be written ({type(error).__name__})") from error


def load_shard(path: Path) -> Shard:
    """Read a shard from ``save_shard``.

    Raises:
        MaterialError: The file cannot be read, or is not a shard.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return Shard(**{name: arrays[name] for name in Shard.__slots__})
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise MaterialError(f"{path.name} holds no shard ({type(error).__name__})") from error


def _weights(regions: Sequence[Region], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
    kinds = [(regions[index].source, regions[index].species) for index in chosen]
    sizes = Counter(kinds)
    weights = np.array(
        [sizes[kind] ** -0.5 * (_PORTRAIT_WEIGHT if kind[1] == "portrait" else 1.0) for kind in kinds]
    )
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _altered(region: Region, is_simulated: bool, random: np.random.Generator) -> tuple[BgrImage, Box]:
    """Return a sample's image and box, made of a region as it is, or of a simulated attack with it."""
    image, box = region.image, region.boxes[int(random.integers(len(region.boxes)))]
    if random.random() < 0.5:
        image, box = turned_about(image, box)
    if is_simulated:
        # The image in the attack was photographed before, and the attack is photographed again.
        image, box = captured(image, box, random=random) if random.random() < 0.3 else (image, box)
        image = (as_print if random.random() < 0.5 else as_screen)(image, box, random=random)
    if random.random() > _UNALTERED:
        image, box = captured(image, box, random=random)
    return image, jittered(box, random=random)


def _empty(count: int, teachers: int) -> Shard:
    return Shard(
        tight=np.empty((count, TIGHT_SIDE + 2 * RIM, TIGHT_SIDE + 2 * RIM, 3), dtype=np.uint8),
        wide=np.empty((count, WIDE_SIDE, WIDE_SIDE, 3), dtype=np.uint8),
        is_live=np.empty(count, dtype=np.float32),
        is_simulated=np.empty(count, dtype=np.bool_),
        region=np.empty(count, dtype=np.int64),
        probabilities=np.empty((count, teachers), dtype=np.float32),
        features=np.empty((count, teachers, FEATURES), dtype=np.float16),
    )

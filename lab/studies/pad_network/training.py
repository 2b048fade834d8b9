"""The network, and its training on labels, on the teachers' outputs if they are right, and on their features.

The network is two small residual trunks, one per crop, and a classifier over both. It has plain 3 x 3
convolutions with ReLU, which processors run fast; the export folds batch normalisation into them. Means over
positions keep texture and discard its place. Training is repeatable: it has one thread, fixed seeds, and a
fixed order of shards.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from lab.packs.facegate_pad import TIGHT_SIDE
from lab.studies.pad_network.pool import RIM, Shard
from lab.studies.pad_network.teachers import FEATURES
from vision.face import BgrImage

TIGHT_CHANNELS: Final = (16, 24, 48, 80)
WIDE_CHANNELS: Final = (12, 24, 40, 64)
_HALF_RANGE: Final = 127.5
_HIDDEN: Final = 64
_DROPPED: Final = 0.3


class Stage(nn.Module):  # type: ignore[misc]  # torch is an extra that the type check does not see
    """A convolution that halves the sides, then a residual pair."""

    def __init__(self, inward: int, outward: int) -> None:
        super().__init__()
        self.halve = _convolution(inward, outward, stride=2)
        self.first = _convolution(outward, outward)
        self.second = _convolution(outward, outward)

    def forward(self, value: torch.Tensor) -> torch.Tensor:
        """Map shape (n, inward, h, w) to (n, outward, h / 2, w / 2)."""
        halved = torch.relu(self.halve(value))
        return torch.relu(halved + self.second(torch.relu(self.first(halved))))


class Trunk(nn.Module):  # type: ignore[misc]  # torch is an extra that the type check does not see
    """Reduces a crop to the mean and the largest value of each channel of the last stage."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = _convolution(3, channels[0], stride=2)
        self.stages = nn.ModuleList(
            Stage(inward, outward) for inward, outward in itertools.pairwise(channels)
        )

    def forward(self, crop: torch.Tensor) -> torch.Tensor:
        """Map shape (n, 3, side, side), 0..255, to (n, 2 * channels[-1])."""
        value = torch.relu(self.stem((crop - _HALF_RANGE) / _HALF_RANGE))
        for stage in self.stages:
            value = stage(value)
        return torch.cat([value.mean(dim=(2, 3)), value.amax(dim=(2, 3))], dim=1)


class Student(nn.Module):  # type: ignore[misc]  # torch is an extra that the type check does not see
    """The network, with its teachers' features as further outputs in training."""

    def __init__(self, teachers: int) -> None:
        super().__init__()
        self.tight = Trunk(TIGHT_CHANNELS)
        self.wide = Trunk(WIDE_CHANNELS)
        both = 2 * (TIGHT_CHANNELS[-1] + WIDE_CHANNELS[-1])
        self.join = nn.Linear(both, _HIDDEN)
        self.drop = nn.Dropout(_DROPPED)
        self.last = nn.Linear(_HIDDEN, 1)
        self.features = nn.ModuleList(nn.Linear(both, FEATURES) for _ in range(teachers))

    def forward(self, tight: torch.Tensor, wide: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map crops to logits of a bona fide presentation.

        Args:
            tight: Shape (n, 3, 112, 112), BGR 0..255.
            wide: Shape (n, 3, 80, 80), BGR 0..255.

        Returns:
            Logits, shape (n,), and estimates of the teachers' features, shape (n, teachers, 128).
        """
        both = torch.cat([self.tight(tight), self.wide(wide)], dim=1)
        logits = self.last(self.drop(torch.relu(self.join(self.drop(both)))))
        guesses = torch.stack([guess(both) for guess in self.features], dim=1)
        return logits[:, 0], guesses


def _convolution(inward: int, outward: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inward, outward, 3, stride, 1, bias=False), nn.BatchNorm2d(outward))


_BATCH: Final = 32
_NORM: Final = 5.0
_MIDDLE: Final = 127.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a run.

    Attributes:
        samples: Total number of training samples.
        rate: Highest learning rate.
        smoothing: Distance of labels from 0 and 1.
        averaging: Share of the averaged weights that each step keeps.
        seed: Seed of the first weights and of everything drawn.
    """

    samples: int = 60_000
    rate: float = 2e-3
    decay: float = 0.03
    smoothing: float = 0.05
    simulated_weight: float = 0.7
    answers_weight: float = 0.2
    features_weight: float = 0.5
    averaging: float = 0.997
    seed: int = 5


def train(
    shard_at: Callable[[int], Shard],
    allowed: NDArray[np.bool_],
    recipe: Recipe,
    *,
    report: Callable[[int, float, nn.Module], None] | None = None,
) -> Student:
    """Train one network.

    Args:
        shard_at: Returns the shard of each round, 0 and up; all shards have the same number of teachers.
        allowed: Shape (regions,): the regions for training.
        recipe: Settings of the run.
        report: Called after each round with its number, its mean loss and the averaged network.

    Returns:
        The network with averaged weights, in evaluation mode.
    """
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(1)
    random = np.random.default_rng(recipe.seed)
    first = shard_at(0)
    scale = _feature_scale(first)
    student = Student(first.features.shape[1]).to(memory_format=torch.channels_last)
    averaged = torch.optim.swa_utils.AveragedModel(
        student,
        avg_fn=lambda kept, new, count: kept + (new - kept) * _share_of_new(int(count), recipe.averaging),
        use_buffers=True,
    )
    optimiser = torch.optim.AdamW(student.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    steps = max(1, recipe.samples // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=recipe.rate, total_steps=steps, pct_start=0.15
    )
    step, number = 0, 0
    while step < steps:
        shard = first if number == 0 else shard_at(number)
        usable = np.flatnonzero(allowed[shard.region])
        random.shuffle(usable)
        losses = []
        for at in range(0, len(usable) - _BATCH + 1, _BATCH):
            if step >= steps:
                break
            rows = np.sort(usable[at : at + _BATCH])
            student.train()
            loss = _loss(student, shard, rows, recipe, random=random, scale=scale)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(student.parameters(), _NORM)
            optimiser.step()
            schedule.step()
            averaged.update_parameters(student)
            losses.append(loss.item())
            step += 1
        number += 1
        if report is not None and losses:
            report(number, float(np.mean(losses)), averaged.module.eval())
    averaged.module.eval()
    result: Student = averaged.module
    return result


def trained_logits(student: nn.Module, crops: Sequence[tuple[BgrImage, BgrImage]]) -> NDArray[np.float64]:
    """Return the network's logits, shape (n,), for tight and wide crops."""
    student.eval()
    logits = []
    with torch.no_grad():
        for start in range(0, len(crops), _BATCH):
            chosen = crops[start : start + _BATCH]
            tight, wide = (np.stack([pair[at] for pair in chosen]) for at in (0, 1))
            logits.append(student(_tensor(tight), _tensor(wide))[0].double().numpy())
    return np.concatenate(logits) if logits else np.empty(0)


def _share_of_new(count: int, averaging: float) -> float:
    """Return the share of new weights in the average. It is larger early, to discard the random start."""
    return max(1 - averaging, 10 / (10 + count))


def _loss(
    student: Student,
    shard: Shard,
    rows: NDArray[np.int64],
    recipe: Recipe,
    *,
    random: np.random.Generator,
    scale: tuple[torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    tight, wide = _varied(shard.tight[rows], shard.wide[rows], random)
    logits, guesses = student(tight, wide)
    live = torch.from_numpy(shard.is_live[rows])
    weights = torch.from_numpy(
        np.where(shard.is_simulated[rows], recipe.simulated_weight, 1.0).astype(np.float32)
    )
    smooth = live * (1 - 2 * recipe.smoothing) + recipe.smoothing
    by_label = functional.binary_cross_entropy_with_logits(logits, smooth, weight=weights, reduction="none")
    answers = torch.from_numpy(shard.probabilities[rows].mean(axis=1))
    # The output of a teacher that is wrong is not used.
    agrees = ((answers > 0.5) == (live > 0.5)).float() * weights
    by_answer = functional.binary_cross_entropy_with_logits(logits, answers, weight=agrees)
    wanted = (torch.from_numpy(shard.features[rows].astype(np.float32)) - scale[0]) / scale[1]
    by_features = functional.smooth_l1_loss(guesses, wanted)
    loss: torch.Tensor = (
        by_label.mean() + recipe.answers_weight * by_answer + recipe.features_weight * by_features
    )
    return loss


def _varied(
    tight: NDArray[np.uint8], wide: NDArray[np.uint8], random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Vary each round of a shard cheaply: shifts, gains, erased parts."""
    down, across = random.integers(0, 2 * RIM + 1, size=2)
    moved = tight[:, down : down + TIGHT_SIDE, across : across + TIGHT_SIDE]
    tight_values, wide_values = _tensor(moved), _tensor(wide)
    count = len(tight)
    gains = np.exp(
        random.normal(0, 0.06, size=(count, 3, 1, 1)) + random.normal(0, 0.1, size=(count, 1, 1, 1))
    )
    gain = torch.from_numpy(gains.astype(np.float32))
    tight_values, wide_values = (tight_values * gain).clamp(0, 255), (wide_values * gain).clamp(0, 255)
    for values in (tight_values, wide_values):
        side = values.shape[2]
        for row in np.flatnonzero(random.random(count) < 0.25):
            height, width = random.integers(side // 6, side // 2, size=2)
            top, left = random.integers(0, side - height), random.integers(0, side - width)
            values[row, :, top : top + height, left : left + width] = _MIDDLE
        for row in np.flatnonzero(random.random(count) < 0.08):
            values[row] = _MIDDLE
    return tight_values, wide_values


def _tensor(images: NDArray[np.uint8]) -> torch.Tensor:
    values = torch.from_numpy(images).permute(0, 3, 1, 2).float()
    return values.contiguous(memory_format=torch.channels_last)


def _feature_scale(shard: Shard) -> tuple[torch.Tensor, torch.Tensor]:
    features = torch.from_numpy(shard.features.astype(np.float32))
    return features.mean(dim=0), features.std(dim=0).clamp_min(1e-3)

"""The network: two small residual trunks, one per crop, and a classifier over both.

It has plain 3 x 3 convolutions with ReLU, which processors run fast; the export folds batch normalisation
into them. Means over positions keep texture and discard its place.
"""

import itertools
from typing import Final

import torch
from torch import nn

from research.pad_network.teachers import FEATURES

__all__ = ["TIGHT_CHANNELS", "WIDE_CHANNELS", "Stage", "Student", "Trunk"]

TIGHT_CHANNELS: Final = (16, 24, 48, 80)
WIDE_CHANNELS: Final = (12, 24, 40, 64)
_MIDDLE: Final = 127.5
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
        value = torch.relu(self.stem((crop - _MIDDLE) / _MIDDLE))
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

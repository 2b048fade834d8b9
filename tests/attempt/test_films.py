"""The frames of a file that are scored and selected."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
import pytest

from attempt.films import FileFrames, FilmCapture, StillFrames, examine
from liveness.selection import DEFAULT_COUNT
from matcher.persons import SCAN_SUBJECT
from tests.attempt.networks import CountingNetwork
from tests.server.analysis.uploads import genuine
from tests.server.models_once import remembering_pack
from vision.face import BgrImage
from vision.packs import Pack

_RATE = 10.0
_Kind = Callable[[Sequence[BgrImage]], FileFrames]


def _pack() -> Pack:
    return replace(remembering_pack(), pad_networks=(CountingNetwork(),))


def _film(frames: Sequence[BgrImage]) -> FilmCapture:
    film = FilmCapture(_pack(), subject=SCAN_SUBJECT)
    for index, pixels in enumerate(frames):
        film.take(pixels, index / _RATE)
    return film


def _stills(frames: Sequence[BgrImage]) -> StillFrames:
    stills = StillFrames(_pack(), subject=SCAN_SUBJECT)
    for pixels in frames:
        stills.take(pixels)
    return stills


def _scored(frames: FileFrames) -> list[int]:
    return [score.frame_index for score in frames.pad_scores]


def _blurred(frames: Sequence[BgrImage]) -> list[BgrImage]:
    """The second half shows the face badly, so that frames of it are not selected."""
    half = len(frames) // 2
    return [
        *frames[:half],
        *(np.asarray(cv2.GaussianBlur(frame, (0, 0), 3), np.uint8) for frame in frames[half:]),
    ]


@pytest.mark.parametrize("kind", [_film, _stills])
def test_how_well_frames_show_the_face_does_not_choose_the_scored_ones(kind: _Kind) -> None:
    clear, blurred = kind(genuine()), kind(_blurred(genuine()))
    assert _scored(blurred) == _scored(clear)
    if kind is _stills:
        # A film of two seconds has fewer detections than frames to select.
        selected = [[frame.index for frame in one.selected] for one in (clear, blurred)]
        assert selected[0] != selected[1]


@pytest.mark.parametrize("kind", [_film, _stills])
def test_the_scored_frames_are_spread_over_the_file(kind: _Kind) -> None:
    file = kind(genuine())
    scored = _scored(file)
    assert scored[0] == 0
    assert len(genuine()) - scored[-1] <= 4
    assert np.diff(scored).max() <= 4
    study = examine(file, pack=_pack())
    assert study.pad_scores == file.pad_scores
    assert len(study.selected) == DEFAULT_COUNT or kind is _film

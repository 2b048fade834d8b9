"""Draws the worst mistakes of a scorer as one sheet of images. The sheet shows persons: keep it private."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from lab.evaluation.match.photos import read_picture
from lab.evaluation.pad.dataset import PadSample, SampleKind
from lab.evaluation.pad.runs import ScoreRun
from vision.errors import DecoderUnavailable, ImageError
from vision.face import BgrImage

_EACH: Final = 12
_COLUMNS: Final = 6
_SIDE: Final = 180
_CAPTION: Final = 34
_QUALITY: Final = 85
_PAPER: Final = 245


@dataclass(frozen=True, slots=True)
class Mistake:
    """One presentation on the wrong side."""

    sample: PadSample
    score: float


def worst_mistakes(run: ScoreRun) -> tuple[Mistake, ...]:
    """Return bona fide presentations with the lowest scores, then attacks with the highest, each file once.

    Only a score beyond the median of the other side counts as a mistake.

    Args:
        run: One scorer's answers.
    """
    found: list[Mistake] = []
    live, answered = run.live, run.answered
    for mask, sign in ((live & answered, 1.0), (~live & answered, -1.0)):
        other = run.scores[answered & (live if sign < 0 else ~live)]
        if not other.size:
            continue
        middle = float(np.median(other))
        seen: dict[Path, Mistake] = {}
        for at in sorted(np.flatnonzero(mask), key=lambda at: sign * run.scores[at]):
            wrong = sign * (run.scores[at] - middle) <= 0 or len(seen) < _EACH // 2
            if wrong and len(seen) < _EACH:
                seen.setdefault(run.samples[at].path, Mistake(run.samples[at], float(run.scores[at])))
        found += seen.values()
    return tuple(found)


def mistakes_sheet(mistakes: Sequence[Mistake]) -> bytes | None:
    """Draw the sheet as a JPEG file; None without a mistake.

    Below each image are its score, its label and its source. A clip is shown by its middle frame; a file that
    cannot be read is drawn grey.

    Args:
        mistakes: The mistakes, in the order of the sheet.
    """
    if not mistakes:
        return None
    rows = -(-len(mistakes) // _COLUMNS)
    sheet = np.full((rows * (_SIDE + _CAPTION), _COLUMNS * _SIDE, 3), _PAPER, np.uint8)
    for number, mistake in enumerate(mistakes):
        top, left = (number // _COLUMNS) * (_SIDE + _CAPTION), (number % _COLUMNS) * _SIDE
        sheet[top : top + _SIDE, left : left + _SIDE] = _tile(mistake.sample)
        sample = mistake.sample
        lines = (
            f"{mistake.score:.3f} {'bona fide' if sample.live else sample.variety}",
            sample.source.partition("/")[0] or sample.path.parent.name,
        )
        for line, text in enumerate(lines):
            at = (left + 4, top + _SIDE + 13 + 15 * line)
            plain = text.encode("ascii", "replace").decode()[:26]
            cv2.putText(sheet, plain, at, cv2.FONT_HERSHEY_SIMPLEX, 0.4, (40, 40, 40), 1, cv2.LINE_AA)
    coded = cv2.imencode(".jpg", sheet, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return bytes(coded)


def _tile(sample: PadSample) -> BgrImage:
    image = _picture(sample)
    tile = np.full((_SIDE, _SIDE, 3), 200, np.uint8)
    if image is None:
        return tile
    height, width = image.shape[:2]
    scale = (_SIDE - 4) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    top, left = (_SIDE - size[1]) // 2, (_SIDE - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


def _picture(sample: PadSample) -> BgrImage | None:
    if sample.kind is SampleKind.CLIP:
        capture = cv2.VideoCapture(str(sample.path))
        try:
            capture.set(cv2.CAP_PROP_POS_FRAMES, capture.get(cv2.CAP_PROP_FRAME_COUNT) // 2)
            found, frame = capture.read()
        finally:
            capture.release()
        return np.asarray(frame, np.uint8) if found else None
    try:
        return read_picture(sample.path, still_decoder=None)
    except (OSError, ImageError, DecoderUnavailable):
        return None

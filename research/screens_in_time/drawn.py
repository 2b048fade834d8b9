"""Draws the traces of a display into a live scan, each at stated strengths: positive controls of the cues.

The display is a rectangle around the face's first place. Traces are drawn before the frames are encoded: as
JPEG, as a phone does, and on demand as video before that, as the collectors of the clips did.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from research.screens_in_time.cues import focus_ratio
from research.screens_in_time.stretches import Luma, SeenFrame, repainted
from vision.face import BgrImage

__all__ = ["TRACES", "Trace", "as_stored", "draw_trace"]

_Mask = NDArray[np.bool_]

_HALF_DISPLAY: Final = 1.1
"""Half of the width of a drawn display, face widths."""
_PORTRAIT: Final = 1.3
"""Height of a drawn display over its width."""
_BAND: Final = 0.3
"""Height of a band and its gap, a share of the frame's."""
_DRIFT: Final = 0.37
"""Drift of the bands from one frame to the next, a share of that height."""
_STEP_FRAMES: Final = 8
"""Frames between two of the repeated steps."""
_SWING_FRAMES: Final = 45
"""Frames in which a camera changes its focus or its exposure and changes it back."""
_SOFTEST: Final = 3.0
"""The strongest blur that holds the focus, pixels."""
_HALVINGS: Final = 8
_RATE: Final = 30
_BITS: Final = 0.08
"""Bits a pixel of the stored video: the median of the recorded screens."""


@dataclass(frozen=True, slots=True)
class Trace:
    """One trace of a display.

    Attributes:
        unit: The unit of the strength, for tables.
        strengths: The drawn strengths, rising.
        cues: The cues that should detect the trace.
    """

    unit: str
    strengths: tuple[float, ...]
    cues: tuple[str, ...]


TRACES: Final[Mapping[str, Trace]] = MappingProxyType(
    {
        "bands": Trace(
            "amplitude, % of the light",
            (1.0, 2.0, 4.0),
            ("drifting stripes", "drifting stripes near the face"),
        ),
        "repeated steps": Trace("height, % of the light", (1.0, 4.0), ("common steps",)),
        "one step": Trace("height, % of the light", (4.0,), ("largest common step",)),
        "reflection": Trace(
            "standard deviation, grey levels",
            (3.0, 12.0),
            ("fixed layer", "layer fixed to the surroundings"),
        ),
        "held focus": Trace("share of the change that is taken away", (1.0,), ("constant focus",)),
        "refocus": Trace("blur, pixels", (0.5, 1.0), ("common focus",)),
        "tremor": Trace(
            "standard deviation, pixels",
            (2.0,),
            ("drifting stripes near the face", "common steps", "largest common step"),
        ),
        "exposure": Trace(
            "amplitude, % of the light",
            (1.0, 5.0),
            ("drifting stripes near the face", "common steps", "largest common step"),
        ),
    }
)


def draw_trace(
    name: str,
    strength: float,
    frames: Sequence[SeenFrame],
    images: Sequence[BgrImage],
    *,
    stored: bool = False,
) -> list[SeenFrame]:
    """Return the frames as if a display showed them.

    Args:
        name: One of ``TRACES``.
        strength: See ``Trace.unit``.
        frames: The live scan.
        images: Its images before they were encoded, one for each frame.
        stored: Whether to encode them as video first.
    """
    drawn = _DRAWINGS[name](strength, frames, images, np.random.default_rng(1))
    return repainted(frames, as_stored(drawn) if stored else drawn)


def as_stored(images: Sequence[BgrImage]) -> list[BgrImage]:
    """Return images as a stored video (H.264) has them."""
    height, width = (side // 2 * 2 for side in images[0].shape[:2])
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=_RATE, options={"preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.bit_rate = round(_BITS * width * height * _RATE)
        for image in images:
            even = np.ascontiguousarray(image[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="bgr24")))
        container.mux(stream.encode())
    file.seek(0)
    with av.open(file, "r") as made:
        found = [frame.to_ndarray(format="bgr24") for frame in made.decode(video=0)]
    pad = (0, images[0].shape[0] - height, 0, images[0].shape[1] - width, cv2.BORDER_REPLICATE)
    return [np.asarray(cv2.copyMakeBorder(image, *pad), np.uint8) for image in found]


def _display(frame: SeenFrame) -> _Mask:
    rows, columns = np.ogrid[0 : frame.luma.shape[0], 0 : frame.luma.shape[1]]
    half = _HALF_DISPLAY * frame.face.width
    inside: _Mask = (np.abs(columns - frame.face.x) < half) & (np.abs(rows - frame.face.y) < _PORTRAIT * half)
    return inside


def _lit(image: BgrImage, gain: Luma | float, layer: Luma | float, display: _Mask) -> BgrImage:
    """Return the image with another light, and a layer over it, on the display."""
    share = np.where(display, gain, 1.0)[..., np.newaxis]
    over = np.where(display, layer, 0.0)[..., np.newaxis]
    return np.asarray((image * share + over).clip(0, 255).round(), np.uint8)


def _bands(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], _: np.random.Generator
) -> list[BgrImage]:
    display = _display(frames[0])
    rows = np.arange(display.shape[0], dtype=np.float32)[:, np.newaxis] / (_BAND * display.shape[0])
    return [
        _lit(image, 1 + strength / 100 * np.sin(2 * np.pi * (rows + _DRIFT * frame.number)), 0.0, display)
        for frame, image in zip(frames, images, strict=True)
    ]


def _repeated_steps(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], _: np.random.Generator
) -> list[BgrImage]:
    display = _display(frames[0])
    return [
        _lit(image, 1 + strength / 100 * (frame.number // _STEP_FRAMES % 2), 0.0, display)
        for frame, image in zip(frames, images, strict=True)
    ]


def _one_step(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], _: np.random.Generator
) -> list[BgrImage]:
    display = _display(frames[0])
    middle = frames[len(frames) // 2].number
    return [
        _lit(image, 1 - strength / 100 * (frame.number >= middle), 0.0, display)
        for frame, image in zip(frames, images, strict=True)
    ]


def _reflection(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], rng: np.random.Generator
) -> list[BgrImage]:
    display = _display(frames[0])
    height, width = display.shape
    coarse = rng.normal(0, 1, (height // 3 + 1, width // 3 + 1)).astype(np.float32)
    layer = strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return [_lit(image, 1.0, layer, display) for image in images]


def _refocus(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], _: np.random.Generator
) -> list[BgrImage]:
    display = _display(frames[0])
    return [
        _blurred(image, strength * abs(np.sin(np.pi * frame.number / _SWING_FRAMES)), display)
        for frame, image in zip(frames, images, strict=True)
    ]


def _tremor(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], rng: np.random.Generator
) -> list[BgrImage]:
    """Move what is on the display as a hand does: no trace of a display, but what comes with one."""
    display = _display(frames[0])[..., np.newaxis]
    size = (images[0].shape[1], images[0].shape[0])
    drawn = []
    for image, (across, down) in zip(images, rng.normal(0, strength, (len(images), 2)), strict=True):
        shift = np.array([[1, 0, across], [0, 1, down]])
        moved = cv2.warpAffine(image, shift, size, borderMode=cv2.BORDER_REPLICATE)
        drawn.append(np.asarray(np.where(display, moved, image), np.uint8))
    return drawn


def _exposure(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], _: np.random.Generator
) -> list[BgrImage]:
    """Change the light of the whole frame slowly, as a camera does before a person: no trace of a display."""
    everywhere = np.ones(frames[0].luma.shape, np.bool_)
    return [
        _lit(image, 1 + strength / 100 * np.sin(2 * np.pi * frame.number / _SWING_FRAMES), 0.0, everywhere)
        for frame, image in zip(frames, images, strict=True)
    ]


def _held_focus(
    strength: float, frames: Sequence[SeenFrame], images: Sequence[BgrImage], _: np.random.Generator
) -> list[BgrImage]:
    """Blur every detected face so far that its sharpness over that of its surroundings stays the same."""
    ratios = {
        frame.number: ratio
        for frame in frames
        if frame.detected and (ratio := focus_ratio(frame)) is not None
    }
    drawn = []
    for frame, image in zip(frames, images, strict=True):
        ratio = ratios.get(frame.number)
        if ratio is None:
            drawn.append(image)
            continue
        target = ratio - strength * (ratio - min(ratios.values()))
        drawn.append(_blurred_to(target, frame, image))
    return drawn


def _blurred_to(target: float, frame: SeenFrame, image: BgrImage) -> BgrImage:
    rows, columns = np.ogrid[0 : frame.luma.shape[0], 0 : frame.luma.shape[1]]
    face = (np.abs(columns - frame.face.x) < frame.face.width / 2) & (
        np.abs(rows - frame.face.y) < frame.face.height / 2
    )
    low, high = 0.0, _SOFTEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        found = focus_ratio(repainted([frame], [_blurred(image, middle, face)])[0])
        low, high = (middle, high) if found is not None and found > target else (low, middle)
    return _blurred(image, (low + high) / 2, face)


def _blurred(image: BgrImage, sigma: float, place: _Mask) -> BgrImage:
    if sigma < 0.05:
        return image
    soft = cv2.GaussianBlur(image, (0, 0), sigma)
    return np.asarray(np.where(place[..., np.newaxis], soft, image), np.uint8)


_Drawing = Callable[[float, Sequence[SeenFrame], Sequence[BgrImage], np.random.Generator], list[BgrImage]]
_DRAWINGS: Final[Mapping[str, _Drawing]] = MappingProxyType(
    {
        "bands": _bands,
        "repeated steps": _repeated_steps,
        "one step": _one_step,
        "reflection": _reflection,
        "held focus": _held_focus,
        "refocus": _refocus,
        "tremor": _tremor,
        "exposure": _exposure,
    }
)

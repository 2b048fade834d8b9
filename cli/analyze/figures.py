"""The pictures and curves behind the verdict on a file: faces, patterns, crops, and a video over time."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, runtime_checkable

import cv2
import numpy as np
from numpy.typing import NDArray

from attempt import SelectedFrame, VideoStudy
from cli.shown import printable
from formats.exif import ExifTags
from liveness import FrameObservation, ScanObservations
from liveness.express import ExpressSettings, PadScore, fine_structure
from liveness.selfie import (
    SelfieSubject,
    face_spectrum,
    inner_square,
    lbp_codes,
    lbp_histogram,
    symmetric_pairs,
    texture_crop,
)
from server.analysis.results import ImageStudy
from server.pages import Figure, Group, TimeRow, data_uri, time_chart
from vision.face import BgrImage, Box, DetectedFace, Landmarks
from vision.image import encode_jpeg
from vision.packs import PadNetwork

_QUALITY: Final = 88
_LONGEST: Final = 900
_CLOSE_LONGEST: Final = 640
_THUMBNAIL: Final = 320
_SIDE: Final = 192
_CLOSE: Final = 1.6
"""Size of the close-up, as a multiple of the face."""
_BRIGHTEST: Final = 99.8
"""Percentile of a spectrum that is shown brightest. The few values above it would darken all others."""
_LOWEST: Final = 0.1
"""Cycles per pixel, as in ``liveness.express.frame_cues``."""
_STRONG: Final = 12.0
"""Ratio to the power of nearby frequencies that is shown brightest; about 2 is usual."""

_SAME_GREY_LEVELS: Final = 0.02
"""As in ``liveness.express.repetition``."""
_EYES_SHUT: Final = ExpressSettings().eyes_shut_level
_GAP_STEPS: Final = 6.0
"""A frame covers the time up to the next one, but not a gap in the video of more steps."""
_LEFT: Final = 118.0
_WIDTH: Final = 630.0
_LOW_ROW: Final = 22
_HIGH_ROW: Final = 62
_MOST_TICKS: Final = 10
_TICKS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0)
_NETWORK_KINDS: Final = 4
_FACES: Final = {0: ("none", "no face"), 1: ("one", "one face")}
_UNTIMED: Final = "The times of still frames are unknown, so no movement is measured."
_ROWS: Final = (
    "Eyes: aspect ratio of both; below the dashed line they are shut. Networks: from 0, an attack, to 1, "
    "real; point at a dot for its number."
)


@runtime_checkable
class _ShowsCrops(Protocol):
    """A PAD network that can show its input."""

    def crops(self, image: BgrImage, face: DetectedFace) -> tuple[BgrImage, ...]:
        """Return the network's crops of a face, each of shape (height, width, 3)."""


def image_groups(
    study: ImageStudy, *, exif: ExifTags | None, networks: Sequence[PadNetwork]
) -> Iterator[Group]:
    """Yield the figures for an image."""
    face = study.faces[0] if study.faces else None
    yield Group(
        title="The image",
        said="Yellow: the box that the detector found. Pink: its five points. Turquoise: dense landmarks.",
        figures=[*_views(study, face)],
        kind="first",
    )
    if face is not None:
        subject = SelfieSubject(
            image=study.pixels,
            face=face,
            landmarks=study.landmarks,
            exif=ExifTags() if exif is None else exif,
        )
        yield Group(
            title="Skin micro-texture (lbp_texture)",
            said="The number of each pixel's pattern of brighter and darker neighbours. Skin in a camera's "
            "frame is varied; prints and screens repeat a few patterns, and blurred copies are smooth.",
            figures=[*_texture(subject)],
        )
        yield Group(
            title="Frequencies (fft_deepfake)",
            said="The spectrum of the middle of the face, low frequencies in the centre. A camera's spectrum "
            "falls off evenly in all directions. Peaks off the centre and bright axes are grids: of a "
            "screen, of halftone or of a generator.",
            figures=[*_frequencies(subject)],
        )
        yield pattern_group(study.pixels, face)
        yield Group(
            title="Crops of the networks",
            said="The input of the networks, pixel by pixel, before any scaling of colours.",
            figures=_crops(networks if study.pad_scores else (), study.pad_scores, study.pixels, face),
            kind="thumbs",
        )
    if exif is not None:
        yield Group(
            title="Tags of the camera (exif_metadata)",
            said="Anybody can write any tag, so tags are an indication and never a proof.",
            facts=[(name, printable(value)) for name, value in exif_words(exif).items()],
        )


def exif_words(exif: ExifTags) -> Mapping[str, str]:
    """Return the tags in words, by name; only those that are present."""
    found = {
        "EXIF": exif.state.value.lower(),
        "Camera": " ".join(text for text in (exif.make, exif.model) if text),
        "F-stop": "" if exif.f_number is None else f"f/{exif.f_number:.3g}",
        "Exposure": "" if exif.exposure_seconds is None else _exposure(exif.exposure_seconds),
        "ISO": "" if exif.iso is None else str(exif.iso),
        "Focal length": "" if exif.focal_length_mm is None else f"{exif.focal_length_mm:.3g} mm",
        "Place": "written (not read)" if exif.has_gps else "",
        "Software": ", ".join(exif.software),
        "Comment": exif.comment or "",
    }
    return {name: text for name, text in found.items() if text}


def _exposure(seconds: float) -> str:
    return f"1/{1 / seconds:.0f} s" if seconds < 0.4 else f"{seconds:.3g} s"


def _views(study: ImageStudy, face: DetectedFace | None) -> Iterator[Figure]:
    height, width = study.pixels.shape[:2]
    count = {0: "No face was found", 1: "One face"}.get(len(study.faces), f"{len(study.faces)} faces")
    dense = "" if study.landmarks is None else f", {len(study.landmarks.points)} landmarks"
    yield _faces(
        study.pixels,
        study.faces,
        study.landmarks,
        alt="The image with boxes and points of the faces",
        caption=f"{count} in {width} x {height} pixels{dense}.",
    )
    if face is None:
        return
    pairs = symmetric_pairs(face.five_points if study.landmarks is None else study.landmarks)
    left, top, right, bottom = _around(face.box, width, height)
    size, placed = (right - left, bottom - top), pairs - (left, top)
    close = _reduced(study.pixels[top:bottom, left:right], _CLOSE_LONGEST)
    yield Figure(
        images=[(_jpeg(close), "The face close up, with lines between points that mirror each other")],
        over=[("pairs", {"size": size, "pairs": placed.tolist(), "midline": _midline(placed, max(size))})],
        caption=f"The {len(pairs)} pairs of points of facial_symmetry, and their common midline.",
    )


def _faces(
    pixels: BgrImage,
    faces: Sequence[DetectedFace],
    landmarks: Landmarks | None,
    *,
    alt: str,
    caption: str,
    longest: int = _LONGEST,
) -> Figure:
    """Return an image, reduced, with boxes and points of its faces over it; ``landmarks`` are the first's."""
    height, width = pixels.shape[:2]
    dense = [] if landmarks is None else landmarks.points.tolist()
    over = [
        (
            "face",
            {
                "size": (width, height),
                "face": face,
                "landmarks": dense if at == 0 else (),
                "label": f"Box and five points of face {at + 1}, found with confidence {face.confidence:.2f}",
            },
        )
        for at, face in enumerate(faces)
    ]
    return Figure(images=[(_jpeg(_reduced(pixels, longest)), alt)], over=over, caption=caption)


def _midline(pairs: NDArray[np.float64], reach: int) -> list[list[float]]:
    """Return two points of the line through the middle of pairs, perpendicular to their mean direction.

    Args:
        pairs: Shape (n, 2, 2): for each pair the left and the right point as (x, y).
        reach: Distance of each point from the middle, pixels.
    """
    across = (pairs[:, 1] - pairs[:, 0]).sum(axis=0)
    length = float(np.linalg.norm(across))
    if length <= 0:
        return []
    middle = pairs.mean(axis=(0, 1))
    along = np.array([-across[1], across[0]]) / length * reach
    ends: list[list[float]] = [(middle - along).tolist(), (middle + along).tolist()]
    return ends


def _around(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    (x, y), half = box.centre, _CLOSE * max(box.width, box.height) / 2
    left, right = int(max(0.0, x - half)), int(min(float(width), x + half))
    top, bottom = int(max(0.0, y - half)), int(min(float(height), y + half))
    # A detector's box may lie completely outside the image.
    if right - left < 1 or bottom - top < 1:
        return 0, 0, width, height
    return left, top, right, bottom


def _texture(subject: SelfieSubject) -> Iterator[Figure]:
    crop = texture_crop(subject)
    if crop is None:
        return
    codes = lbp_codes(crop)
    histogram = lbp_histogram(codes)
    most = int(histogram.argmax())
    grey = _enlarged(_bgr(crop), _SIDE)
    yield _exact(grey, "The face in grey at 96 x 96 pixels", "The face at 96 x 96 pixels.")
    yield _exact(
        colour_map(codes),
        "Map of uniform local binary patterns of the face",
        "Map of the uniform local binary patterns (Ojala et al. 2002).",
    )
    yield Figure(
        drawing=(
            "bars",
            {
                "values": histogram.tolist(),
                "label": "Histogram of the 59 patterns",
                "across": "pattern (58: not uniform)",
            },
        ),
        caption=f"Their frequencies: the most frequent, {most}, in {100 * histogram[most]:.0f} % of all.",
        kind="wide",
    )


def _frequencies(subject: SelfieSubject) -> Iterator[Figure]:
    square = inner_square(subject)
    if square is None or not np.ptp(square):
        return
    spectrum = face_spectrum(square)
    side = square.shape[0]
    middle = _enlarged(_bgr(square), _SIDE)
    yield _exact(middle, "The middle of the face in grey", f"The middle of the face, {side} x {side} pixels.")
    shown = np.minimum(spectrum.log_magnitude, np.percentile(spectrum.log_magnitude, _BRIGHTEST))
    yield _exact(
        colour_map(shown),
        "Logarithm of the magnitude of the face's two-dimensional spectrum",
        "Its spectrum, logarithm of the magnitude.",
    )
    yield Figure(
        drawing=(
            "line",
            {
                "values": spectrum.radial_profile[1:].tolist(),
                "label": "Radial profile of the spectrum, from low to high frequencies",
                "across": "frequency, up to Nyquist's",
            },
        ),
        caption="Its radial profile: the mean over each ring (Durall et al. 2020).",
        kind="wide",
    )


def pattern_group(pixels: BgrImage, face: DetectedFace) -> Group:
    """Return a map of each frequency's ratio to nearby ones; no figure if the face is too small."""
    figures = []
    if (peaks := fine_structure(pixels, face)) is not None:
        whole = whole_spectrum(peaks)
        side = whole.shape[0]
        down, across = np.indices(whole.shape) - side // 2
        whole = np.where(np.hypot(down, across) < _LOWEST * side, np.float32(0), whole)
        strongest = math.exp(float(whole.max()))
        figures.append(
            _exact(
                colour_map(whole, limits=(0.0, math.log(_STRONG))),
                "Ratio of each frequency of the face's brightness to nearby ones",
                f"Brightness of the face: the strongest is {strongest:.1f} times as strong as those nearby.",
            )
        )
    return Group(
        title="Regular patterns (moire)",
        said="The ratio of each frequency to nearby ones, in windows of the frame's own pixels; frequency 0 "
        "is in the middle. The lowest frequencies are omitted, because faces themselves have structure "
        "there. A camera's frame of skin is dark nearly everywhere. Bright dots that mirror each other are a "
        "regular pattern: a screen's pixels, or a printer's dots.",
        figures=figures,
    )


def whole_spectrum(half: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the full spectrum of a real-valued image, frequency 0 in the middle.

    Args:
        half: Shape (n, n / 2 + 1), n even, in the order of ``numpy.fft.rfft2``.
    """
    side = half.shape[0]
    whole = np.empty((side, side), half.dtype)
    whole[:, : half.shape[1]] = half
    rows, columns = np.arange(side), np.arange(half.shape[1], side)
    whole[:, columns] = half[np.ix_(-rows % side, side - columns)]
    return np.fft.fftshift(whole)


def _crops(
    networks: Sequence[PadNetwork], scores: Sequence[PadScore], pixels: BgrImage, face: DetectedFace
) -> list[Figure]:
    """Return each network's crops of a frame, pixel by pixel, with its score if it scored the frame."""
    said: Mapping[str, float] = {score.network: score.real_probability for score in scores}
    return [
        _exact(
            crop,
            f"The face with its surroundings, as input of {network.name}",
            f"{network.name}: real with probability {said[network.name]:.3f}"
            if network.name in said
            else f"{network.name}: did not score this frame",
        )
        for network in networks
        if isinstance(network, _ShowsCrops)
        for crop in network.crops(pixels, face)
    ]


def video_groups(study: VideoStudy, *, networks: Sequence[PadNetwork], timed: bool) -> Iterator[Group]:
    """Yield the figures for a video. Without ``timed``, for still frames, the axis counts frames."""
    seen = study.observations
    if seen.frames:
        measured = (
            f"{len(seen.frames)} frames were measured, {len(seen.passed)} between them were not. The face "
            "was detected in some and followed by its motion in the others. Movement: of the face, in face "
            "widths a second."
        )
        yield Group(
            title="Timeline" if timed else "Frames in order",
            said=f"{measured if timed else _UNTIMED} {_ROWS}",
            figures=[
                Figure(
                    drawing=("time", {"chart": timeline(seen, study.pad_scores, timed=timed)}),
                    caption=f"Exactly one face in {len(seen.usable)} of {len(seen.frames)} measured frames; "
                    f"{len(study.selected)} selected.",
                )
            ],
            kind="one",
        )
    yield Group(
        title="Selected frames",
        said="The frames in which the person was identified: well placed, sharp and spread over time. The "
        "networks score other frames, which are spread over time alone; see above.",
        figures=[_thumbnail(frame, study.pad_scores, timed=timed) for frame in study.selected],
        kind="thumbs",
    )
    middle = _middle(study)
    if middle is not None:
        scores = [score for score in study.pad_scores if score.frame_index == middle.index]
        yield pattern_group(middle.pixels, middle.face)
        yield Group(
            title="Crops of the networks",
            said=f"The crops of frame {middle.index}, pixel by pixel, before any scaling of colours.",
            figures=_crops(networks if study.pad_scores else (), scores, middle.pixels, middle.face),
            kind="thumbs",
        )


def _thumbnail(frame: SelectedFrame, scores: Sequence[PadScore], *, timed: bool) -> Figure:
    said = ", ".join(
        f"{score.network} {score.real_probability:.2f}"
        for score in scores
        if score.frame_index == frame.index
    )
    when = f"Frame {frame.index}" + (f", {frame.capture_time:.2f} s" if timed else "")
    return _faces(
        frame.pixels,
        (frame.face,),
        None,
        alt=f"{when} with the face's box",
        caption=f"{when}. {said}" if said else when,
        longest=_THUMBNAIL,
    )


def _middle(study: VideoStudy) -> SelectedFrame | None:
    """Return the selected frame with the median score; without networks, the middle frame in time."""
    asked = {score.frame_index for score in study.pad_scores}
    frames = [frame for frame in study.selected if frame.index in asked]
    if not frames:
        return study.selected[len(study.selected) // 2] if study.selected else None
    sums = {
        index: sum(score.real_probability for score in study.pad_scores if score.frame_index == index)
        for index in asked
    }
    return sorted(frames, key=lambda frame: sums[frame.index])[len(frames) // 2]


def timeline(scan: ScanObservations, pad_scores: Sequence[PadScore], *, timed: bool) -> dict[str, Any]:
    """Return the chart of a video's measurements over time, for ``charts.svg``.

    Args:
        pad_scores: The networks' scores of selected frames.
        timed: False if the capture times give only an order: then each frame counts as a second, and no
            movement is shown.
    """
    frames = scan.frames
    begin = frames[0].capture_time
    times = [frame.capture_time - begin if timed else float(at) for at, frame in enumerate(frames)]
    step = (float(np.median(np.diff(times))) if len(times) > 1 else 0.0) or 0.1
    ends = [
        min(later, time + _GAP_STEPS * step)
        for time, later in zip(times, [*times[1:], times[-1] + step], strict=True)
    ]
    before: list[FrameObservation | None] = [None, *frames[:-1]]

    def when(time: float) -> str:
        return f"{time:.2f} s" if timed else f"frame {time:g}"

    faces, repeated = [], []
    for last, frame, time, end in zip(before, frames, times, ends, strict=True):
        kind, label = _FACES.get(frame.faces, ("several", f"{frame.faces} faces"))
        how = ", followed" if frame.followed else ""
        faces.append((time, end, f"face {kind}", f"{when(time)}: {label}{how}"))
        if last is not None and repeats(last, frame):
            repeated.append((time, end, "repeat", f"{when(time)}: the same image as before"))
    eyes = [frame.eyes_open for frame in frames]
    moved = [
        None if last is None or not timed else face_speed(last, frame)
        for last, frame in zip(before, frames, strict=True)
    ]
    place = {frame.index: time for frame, time in zip(frames, times, strict=True)}
    ticks = [tick for tick in _ticks(times[-1] + step) if timed or tick == int(tick)]
    return time_chart(
        [
            TimeRow(name="face", height=_LOW_ROW, cells=faces),
            TimeRow(name="repeated", height=_LOW_ROW, cells=repeated),
            _values(times, eyes, name="eyes open", kind="eyes", limit=_EYES_SHUT),
            _values(times, moved, name="movement", kind="moved", limit=None),
            _networks([score for score in pad_scores if score.frame_index in place], place, when),
        ],
        label=f"Timeline of {len(frames)} frames over {times[-1]:.1f} seconds"
        if timed
        else f"{len(frames)} still frames in their order",
        span=(0.0, times[-1] + step),
        ticks=[(tick, f"{tick:g} s" if timed else f"{tick:g}") for tick in ticks],
        marks=ticks,
        left=_LEFT,
        width=_WIDTH,
    )


def face_speed(last: FrameObservation, frame: FrameObservation) -> float | None:
    """Return the movement of the face in face widths a second; None if one of two frames shows no face."""
    elapsed = frame.capture_time - last.capture_time
    if last.face is None or frame.face is None or elapsed <= 0:
        return None
    # The mean of the five points: the detector's box jumps more between two detections.
    earlier, later = (each.five_points.mean(axis=0) for each in (last.face, frame.face))
    return float(np.linalg.norm(later - earlier)) / last.face.box.width / elapsed


def repeats(last: FrameObservation, frame: FrameObservation) -> bool:
    """Return whether a frame is the same image as the one before."""
    if last.fingerprint is not None and last.fingerprint == frame.fingerprint:
        return True
    difference = np.abs(last.samples.astype(np.int16) - frame.samples.astype(np.int16))
    return bool(difference.mean() < _SAME_GREY_LEVELS)


def _values(
    times: Sequence[float],
    values: Sequence[float | None],
    *,
    name: str,
    kind: str,
    limit: float | None,
) -> TimeRow:
    """Return the row of a measurement: a line with gaps where frames have no value."""
    known = [number for number in values if number is not None]
    if not known:
        return TimeRow(name=name, height=_HIGH_ROW, absent="not measured")
    high = max(*known, limit or 0.0, 1e-6)
    return TimeRow(
        name=name,
        height=_HIGH_ROW,
        high=high,
        scale=[(high, f"{high:.2g}"), (0.0, "0")],
        levels=[] if limit is None else [(limit, "limit")],
        curves=[(kind, zip(times, values, strict=True))],
    )


def _networks(scores: Sequence[PadScore], place: Mapping[int, float], when: Any) -> TimeRow:
    """Return the row of the networks: scores as dots, from 0 (attack) at the bottom to 1 (real)."""
    if not scores:
        return TimeRow(name="networks", height=_HIGH_ROW, absent="no network ran")
    names = sorted({score.network for score in scores})
    return TimeRow(
        name="networks",
        height=_HIGH_ROW,
        scale=[(1.0, "1"), (0.0, "0")],
        levels=[(0.5, "limit")],
        dots=[
            (
                place[score.frame_index],
                score.real_probability,
                f"kind{names.index(score.network) % _NETWORK_KINDS}",
                f"{when(place[score.frame_index])}: {score.network} {score.real_probability:.2f}",
            )
            for score in scores
        ],
    )


def _ticks(seconds: float) -> list[float]:
    step = next((tick for tick in _TICKS if seconds / tick <= _MOST_TICKS), _TICKS[-1])
    return [at * step for at in range(2 * _MOST_TICKS + 1) if at * step <= seconds]


def colour_map(
    values: NDArray[np.floating] | NDArray[np.integer],
    *,
    limits: tuple[float, float] | None = None,
) -> BgrImage:
    """Return numbers as colours that suit colour-blind people: dark (smallest), green, yellow (largest).

    Args:
        limits: The darkest and the brightest value, to make maps comparable; the smallest and the largest
            value if None.
    """
    numbers = np.asarray(values, np.float64)
    low, high = (float(numbers.min()), float(numbers.max())) if limits is None else limits
    shares = (numbers - low) / (high - low) if high > low else np.zeros_like(numbers)
    levels = np.round(255 * np.clip(shares, 0.0, 1.0)).astype(np.uint8)
    return _enlarged(np.asarray(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), np.uint8), _SIDE)


def _exact(image: BgrImage, alt: str, caption: str) -> Figure:
    """Return a drawing or a crop without loss, pixel by pixel."""
    _, content = cv2.imencode(".png", image)
    return Figure(
        images=[(data_uri(content.tobytes(), media_type="image/png"), alt)], caption=caption, kind="exact"
    )


def _jpeg(image: BgrImage) -> str:
    return data_uri(encode_jpeg(np.ascontiguousarray(image), _QUALITY))


def _reduced(image: BgrImage, longest: int) -> BgrImage:
    """Return a copy with a longer side of at most ``longest`` pixels; the image itself if it is small."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(image: BgrImage, side: int) -> BgrImage:
    """Return a copy with a shorter side of at least ``side`` pixels; each pixel becomes a square."""
    times = -(-side // min(image.shape[:2]))
    return image if times <= 1 else np.repeat(np.repeat(image, times, axis=0), times, axis=1)


def _bgr(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), np.uint8)

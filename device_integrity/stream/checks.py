"""The tests of one stream's frames, and all of them in a fixed order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from device_integrity.device_test import DeviceTest, not_evaluated, passed_test, suspect, unavailable
from device_integrity.stream.tracing import (
    BRIGHTNESS_BINS,
    NOISE_STEP,
    BlockTally,
    FrameTrace,
    StreamMeasurements,
)

_FEWEST_FRAMES: Final = 15
_SHORTEST_US: Final = 1_500_000
_MOST_DRIFT: Final = 0.05
"""Largest drift between the clocks, a share. Quartz is a thousand times better; the network adds the rest."""

_SMOOTH_US: Final = 150
"""Microseconds. With an encoder and a network the jitter of arrival is never less."""


def check_arrival(frames: Sequence[FrameTrace]) -> DeviceTest:
    """Return ``stream.arrival``, which compares capture times with times of arrival.

    Its failures are soft, because a network that stalls delivers the delayed frames all together. The server
    itself refuses frames that arrive before they can have been captured (docs/device_protocol.md, Clocks).
    """
    name = "stream.arrival"
    captured = np.array([frame.capture_time_us for frame in frames], np.float64)
    arrived = np.array([frame.arrival_time_us for frame in frames], np.float64)
    if len(frames) < _FEWEST_FRAMES or np.ptp(captured) < _SHORTEST_US:
        return unavailable(
            name,
            "TOO_SHORT",
            f"Fewer than {_FEWEST_FRAMES} frames, or less than {_SHORTEST_US / 1e6:.1f} s of capture.",
        )
    delay = arrived - captured
    if float(delay.std()) < _SMOOTH_US:
        return suspect(
            name,
            "ARRIVAL_TOO_EVEN",
            f"Frames arrive with a jitter of {delay.std():.0f} µs, less than an encoder and a network cause.",
        )
    speed = _speed(captured, arrived)
    if abs(speed - 1.0) > _MOST_DRIFT:
        return suspect(
            name,
            "CLOCKS_APART",
            f"A second of the capture clock takes {speed:.2f} s on the server's clock, over "
            f"{np.ptp(captured) / 1e6:.1f} s of capture.",
        )
    return passed_test(
        name,
        "AS_CAPTURED",
        f"Arrival times follow capture times, with a jitter of {delay.std() / 1000:.1f} ms.",
    )


def _speed(captured: NDArray[np.float64], arrived: NDArray[np.float64]) -> float:
    """Return the median slope of arrival time over capture time, from pairs of frames half a scan apart.

    The median of slopes is robust even if almost half of the frames are late (H. Theil, 1950).
    """
    half = len(captured) // 2
    across = captured[half : 2 * half] - captured[:half]
    down = arrived[half : 2 * half] - arrived[:half]
    able = across > 0
    return float(np.median(down[able] / across[able])) if able.any() else 0.0


_VIDEO_TOOLS: Final = ("lavc", "ffmpeg", "libav", "x264", "handbrake", "gstreamer", "obs")
_EDITORS: Final = ("gimp", "photoshop", "gd-jpeg", "imagemagick", "adobe")


def check_encoder(frames: Sequence[FrameTrace]) -> DeviceTest:
    """Return ``stream.encoder``: whether one encoder, and no video tool, wrote all JPEG headers."""
    name = "stream.encoder"
    facts = [frame.facts for frame in frames if frame.facts is not None]
    if not facts or len(facts) < len(frames):
        return unavailable(name, "HEADER_UNREADABLE", "The JPEG header of a frame could not be read.")
    words = {comment.casefold() for each in facts for comment in each.comments}
    for kind, tools in (("VIDEO_TOOL", _VIDEO_TOOLS), ("EDITOR", _EDITORS)):
        tool = next((tool for tool in tools if any(tool in word for word in words)), None)
        if tool is not None:
            return suspect(
                name, kind, f'The frames state that "{tool}" wrote them, which is not a camera app.'
            )
    changes = sum(last.structure != now.structure for last, now in pairwise(facts))
    if changes:
        return suspect(
            name,
            "ENCODER_CHANGED",
            f"The encoder of the frames' JPEG headers changes {changes} time(s).",
        )
    return passed_test(name, "ONE_ENCODER", "One encoder wrote the JPEG headers of all frames.")


# Measures a camera's noise, and how it depends on light.
#
# The number of photons in a pixel is Poisson distributed: in linear light the variance of the noise grows
# with brightness (EMVA Standard 1288, release 4.0, section 2.2). Rendered, denoised and strongly compressed
# video has hardly any noise. Honest phones denoise too, so the test is soft; see docs/device_integrity.md.

_FEWEST_BLOCKS: Final = 200
_QUIET_SHARE: Final = 0.25
"""Share of a bin's blocks that is quiet, that is, that shows noise and no movement."""

_LEAST_NOISE: Final = 0.12
"""Mean absolute difference, grey levels. Less of it means that an encoder or a renderer left no noise."""

_ENCODING_GAMMA: Final = 2.2
"""Gamma of sRGB, accurate enough for a trend (IEC 61966-2-1)."""


@dataclass(frozen=True, slots=True)
class NoiseCurve:
    """Noise by brightness.

    Attributes:
        level: Mean absolute difference of quiet blocks over all brightnesses, grey levels.
        trend: Slope of log noise variance over log brightness, both in linear light; 1 for photons alone.
            ``None`` if the frames have too few brightnesses.
    """

    level: float
    trend: float | None


def check_noise(tallies: Sequence[BlockTally]) -> DeviceTest:
    """Return ``stream.noise``: whether successive frames differ by noise.

    The detail states the trend of the noise over brightness, which has no effect on the finding: encoders
    reverse it in every second honest clip (docs/device_integrity.md).
    """
    name = "stream.noise"
    curve = noise_curve(tallies)
    if curve is None:
        return unavailable(name, "TOO_FEW_FRAMES", "Too few frames of one size to measure noise.")
    if curve.level < _LEAST_NOISE:
        return suspect(
            name,
            "NO_NOISE",
            f"Quiet places differ by {curve.level:.2f} grey levels between frames: less than camera noise.",
        )
    trend = (
        "over too few brightnesses for a trend"
        if curve.trend is None
        else f"with a trend of {curve.trend:.1f}"
    )
    return passed_test(
        name, "NOISE_THERE", f"Quiet places differ by {curve.level:.2f} grey levels between frames, {trend}."
    )


def noise_curve(tallies: Sequence[BlockTally]) -> NoiseCurve | None:
    """Return the noise of a scan; ``None`` with too few blocks."""
    if not tallies:
        return None
    counts = np.sum([tally.noise for tally in tallies], axis=0)
    middle = (np.arange(counts.shape[1]) + 0.5) * NOISE_STEP
    levels, brightnesses, weights = [], [], []
    # The darkest and the brightest bin are clipped, which removes noise.
    for at in range(1, BRIGHTNESS_BINS - 1):
        total = int(counts[at].sum())
        if total < _FEWEST_BLOCKS:
            continue
        quiet = int(np.searchsorted(np.cumsum(counts[at]), _QUIET_SHARE * total))
        levels.append(float(middle[quiet]))
        brightnesses.append((at + 0.5) / BRIGHTNESS_BINS)
        weights.append(total)
    if not levels:
        return None
    level = float(np.average(levels, weights=weights))
    if len(levels) < 3:
        return NoiseCurve(level=level, trend=None)
    light = np.log(np.array(brightnesses)) * _ENCODING_GAMMA
    # d(linear) = gamma x value^(gamma - 1) x d(value)
    spread = np.log(np.array(levels)) + (_ENCODING_GAMMA - 1) * np.log(np.array(brightnesses))
    return NoiseCurve(level=level, trend=float(np.polyfit(light, 2 * spread, 1)[0]))


# Tests whether the frames were compressed as JPEG before, at a lower quality.
#
# Coarse quantisation before a fine one leaves gaps in the histogram of the fine coefficients: values that
# no coarse step reaches (A. C. Popescu and H. Farid, "Statistical tools for digital forensics", 2004). A
# webcam that delivers MJPEG leaves them too, so the test has little weight for browsers and desktops. The
# absence of gaps proves nothing: there are none if the frames were scaled between the two compressions, or
# if the first quantisation was the finer one.

_FEWEST_FILLED: Final = 30
_RISE: Final = 3.0
"""How many times as frequent the larger of two neighbouring values must be: natural histograms fall."""

_FEWEST_RISES: Final = 2
_FEWEST_MODES: Final = 2


def check_recompression(tallies: Sequence[BlockTally]) -> DeviceTest:
    """Return ``stream.recompression``: whether the histograms of quantised coefficients have gaps."""
    name = "stream.recompression"
    modes = gapped_modes(tallies)
    if modes is None:
        return unavailable(name, "NO_TABLES", "No frame has a readable quantisation table of its luma.")
    if modes >= _FEWEST_MODES:
        return suspect(
            name,
            "COMPRESSED_TWICE",
            f"The coefficients of {modes} frequencies have gaps: an earlier compression was stronger.",
        )
    return not_evaluated(
        name,
        "NO_TRACE",
        "The frames show no trace of an earlier, stronger compression; scaling would remove one.",
    )


def gapped_modes(tallies: Sequence[BlockTally]) -> int | None:
    """Return the number of frequencies whose histogram has gaps; ``None`` without a histogram.

    A natural histogram falls from value to value. After a gap it rises; two steep rises count as gaps.
    """
    counted = [tally.coefficients for tally in tallies if tally.coefficients.any()]
    if not counted:
        return None
    # The last value includes all larger ones, so it is left out.
    counts = np.sum(counted, axis=0)[:, 1:-1]
    # Counting from 1 leaves out the rise from 0 to 1, because noise alone fills both.
    rises = (counts[:, 1:] >= _FEWEST_FILLED) & (counts[:, 1:] > _RISE * counts[:, :-1])
    return int((rises.sum(axis=1) >= _FEWEST_RISES).sum())


# Tests whether frames repeat, by their bytes and by their content.
#
# ``liveness`` tests the pixels of measured frames for its verdict on the person. This module tests the
# bytes as received, so that it finds a manipulated device even if the frames show no face.

_FEWEST_TEXTURED: Final = 8
_MOST_RETURNED: Final = 1
"""Most distinct frames that may return after others. A camera never makes two equal frames."""

_MOST_REPEATED: Final = 0.6
"""Largest share of frames that may repeat the previous one: at twice the camera's rate, half of them do."""

_MOST_FRAMES: Final = 320
"""Maximum number of frames, the last of a stream, that are compared: the cost grows with its square."""

_SHORTEST_LOOP: Final = 4
_FEWEST_PAIRS: Final = 8
_LEAST_CHANGE: Final = 0.25
"""Least difference between successive frames, grey levels; below it nothing moves that could repeat."""

_SPARSE: Final = 2
"""Every second cell of a thumbnail suffices."""

_LOOP_LINE: Final = 0.5
"""Threshold of the ratio of the change over a loop's length to that between successive frames."""


def check_duplicates(frames: Sequence[FrameTrace]) -> DeviceTest:
    """Return ``stream.duplicates``: whether frames have the same bytes; hard if other frames lie between."""
    name = "stream.duplicates"
    marks = [frame.sha256 for frame in frames if frame.textured]
    if len(marks) < _FEWEST_TEXTURED:
        return unavailable(name, "TOO_FEW_FRAMES", f"{len(marks)} frames with contrast are too few.")
    distinct = [marks[0], *(now for last, now in pairwise(marks) if now != last)]
    returned = len(distinct) - len(set(distinct))
    repeated = len(marks) - len(distinct)
    if returned > _MOST_RETURNED:
        return suspect(
            name,
            "FRAMES_RETURN",
            f"{returned} frames have the same bytes as an earlier one, with others between; "
            "the noise of a camera differs in every frame.",
            soft=False,
        )
    if repeated > _MOST_REPEATED * len(marks):
        return suspect(
            name,
            "FRAMES_REPEAT",
            f"{repeated} of {len(marks)} frames have the same bytes as the previous one.",
        )
    count = (
        f"{repeated} of {len(marks)} frames repeat" if repeated else f"None of {len(marks)} frames repeats"
    )
    return passed_test(name, "FRAMES_NEW", f"{count} the previous one, and {returned} return later.")


def check_loop(frames: Sequence[FrameTrace]) -> DeviceTest:
    """Return ``stream.loop``: whether frames repeat after a fixed time, even if they are re-encoded."""
    name = "stream.loop"
    found = loop_ratio([frame.thumbnail for frame in frames if frame.textured])
    if found is None:
        return not_evaluated(
            name, "NOTHING_MOVES", "Too few frames, or too little change between them, to find a loop."
        )
    period, ratio = found
    if ratio < _LOOP_LINE:
        return suspect(
            name,
            "FRAMES_LOOP",
            f"Frames {period} apart differ {ratio:.2f} times as much as successive frames: a clip repeats.",
        )
    return passed_test(
        name,
        "NO_LOOP",
        f"The most similar frames, {period} apart, differ {ratio:.2f} times as much as successive frames.",
    )


def loop_ratio(thumbnails: Sequence[NDArray[np.float32]]) -> tuple[int, float] | None:
    """Find after how many frames the content is most similar, compared with successive frames.

    The change is the median over pairs of frames, without each frame's mean brightness, so that a blink or a
    colour of the flash has little effect. Frames of a person that keeps still or nods differ more over any
    distance than from frame to frame.

    Returns:
        The distance in frames and the ratio; ``None`` if there are too few frames or nothing changes.
    """
    thumbnails = thumbnails[-_MOST_FRAMES:]
    count = len(thumbnails)
    if count < _SHORTEST_LOOP + _FEWEST_PAIRS:
        return None
    values = np.stack(thumbnails)[:, ::_SPARSE]
    values -= values.mean(axis=1, keepdims=True)
    steps = _changes(values, 1)
    # A camera that is read too fast delivers frames twice; these do not show how fast the scene changes.
    fresh = steps[steps > _LEAST_CHANGE / 4]
    if len(fresh) < _FEWEST_PAIRS or float(np.median(fresh)) < _LEAST_CHANGE:
        return None
    lags = range(_SHORTEST_LOOP, count - _FEWEST_PAIRS + 1)
    medians = np.array([_median(_changes(values, lag)) for lag in lags])
    best = int(medians.argmin())
    return lags[best], float(medians[best]) / float(np.median(fresh))


def _median(values: NDArray[np.float32]) -> float:
    """Return ``np.median`` of a row without NaN, several times as fast; it is called once for each lag."""
    inside, half = np.sort(values), len(values) // 2
    return float(inside[half]) if len(values) % 2 else float((inside[half - 1] + inside[half]) / 2)


def _changes(values: NDArray[np.float32], lag: int) -> NDArray[np.float32]:
    """Return the root mean square difference of each frame from the one ``lag`` later, grey levels."""
    # Row by row: a matrix product would use threads, for which a busy server has no cores.
    apart = values[lag:] - values[:-lag]
    return np.asarray(np.sqrt(np.einsum("fp,fp->f", apart, apart) / values.shape[1]), np.float32)


# Tests whether parts of a frame stay the same while others change.
#
# A camera exposes each pixel again in every frame. A player's window, bars beside a video of another aspect
# ratio and an image below a pasted, moving face have parts that stay the same bit for bit, while others
# change.

_FEWEST_STILL_PAIRS: Final = 12
_STILL: Final = 0.9
"""Share of all pairs of frames in which a still block is the same."""

_MOST_STILL: Final = 0.3
"""Largest share of still blocks. Strong encoders copy plain backgrounds: up to a fifth of an honest clip is
still, but half of a clip in a player's window (docs/device_integrity.md)."""

_DARK: Final = 24.0
_BRIGHT: Final = 235.0
"""Grey levels beyond which a camera clips, so that nothing changes there either."""


def check_structure(tallies: Sequence[BlockTally]) -> DeviceTest:
    """Return ``stream.structure``: whether blocks never change while others do."""
    name = "stream.structure"
    share = still_share(tallies)
    if share is None:
        return unavailable(name, "TOO_FEW_FRAMES", "The stream has too few different frames of one size.")
    if share > _MOST_STILL:
        return suspect(
            name,
            "PARTS_STAND_STILL",
            f"{100 * share:.0f} % of the frame stays the same bit for bit while the rest changes.",
        )
    return passed_test(name, "ALL_FRESH", f"{100 * share:.0f} % of the frame stays the same bit for bit.")


def still_share(tallies: Sequence[BlockTally]) -> float | None:
    """Return the share of still blocks among those that are neither black nor white.

    The blocks are those of the frame size with the most pairs. A frame with the same bytes as the previous
    one is no pair (``BlockTally.add``). ``None`` if there are too few pairs or all blocks are clipped.
    """
    most = max(tallies, key=lambda tally: tally.pairs, default=None)
    if most is None or most.pairs < _FEWEST_STILL_PAIRS:
        return None
    mean = most.brightness / most.pairs
    shown = (mean > _DARK) & (mean < _BRIGHT)
    if not shown.any():
        return None
    still = (most.still >= _STILL * most.pairs) & shown
    return float(np.count_nonzero(still) / np.count_nonzero(shown))


def check_stream(stream: StreamMeasurements) -> tuple[DeviceTest, ...]:
    """Test the measurements of one stream.

    Returns: ``stream.duplicates``, ``stream.loop``, ``stream.arrival``, ``stream.encoder``,
        ``stream.recompression``, ``stream.noise`` and ``stream.structure``. Only a repetition of the same
        bytes after other frames fails hard. docs/device_integrity.md lists how often honest material fails
        each test.
    """
    return (
        # 1. No frame's bytes return after other frames.
        check_duplicates(stream.frames),
        # 2. The frames do not repeat after a fixed time, even if they are re-encoded.
        check_loop(stream.frames),
        # 3. The frames arrive as they were captured, and both clocks run at the same speed.
        check_arrival(stream.frames),
        # 4. One encoder, which is not that of a video tool or an editor, wrote all JPEG headers.
        check_encoder(stream.frames),
        # 5. The frames show no trace of an earlier, stronger compression.
        check_recompression(stream.tallies),
        # 6. Successive frames differ by the noise of a camera.
        check_noise(stream.tallies),
        # 7. No part of the frame stays the same while the rest changes.
        check_structure(stream.tallies),
    )

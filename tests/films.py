"""Short films as phones, browsers and cameras write them; each frame is the same picture."""

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vision.face import BgrImage

RATE = 10

MATRICES = {
    "as it is": (1, 0, 0, 1),
    "90 degrees": (0, 1, -1, 0),
    "180 degrees": (-1, 0, 0, -1),
    "270 degrees": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "upside down": (1, 0, 0, -1),
    "transposed": (0, 1, 1, 0),
    "transposed and turned": (0, -1, -1, 0),
}
"""a, b, c and d of the eight display matrices: a stored point (x, y) is shown at (a x + c y, b x + d y)."""


def corner_card(width: int = 96, height: int = 64) -> BgrImage:
    """A picture that no turn and no mirror leaves as it is: a colour in each corner, grey between them."""
    card = np.full((height, width, 3), 128, np.uint8)
    card[: height // 2, : width // 2] = (200, 60, 40)
    card[: height // 2, width // 2 :] = (40, 190, 60)
    card[height // 2 :, : width // 2] = (50, 50, 210)
    return card


def seen_through(matrix: Sequence[int], stored: BgrImage) -> BgrImage:
    """What a player shows of a stored picture, pixel by pixel as the definition says."""
    a, b, c, d = matrix
    height, width = stored.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    right, down = a * x + c * y, b * x + d * y
    right, down = right - right.min(), down - down.min()
    shown = np.zeros((down.max() + 1, right.max() + 1, 3), np.uint8)
    shown[down, right] = stored
    return shown


def film(
    picture: BgrImage,
    *,
    container: str = "mp4",
    codec: str = "libx264",
    matrix: Sequence[int] | None = None,
    pixel: Fraction | None = None,
    frames: int = 20,
) -> bytes:
    """A film of one picture.

    Args:
        picture: The stored picture, of even width and height.
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        matrix: a, b, c and d of the display matrix.
        pixel: Width of a pixel divided by its height.
        frames: How many; there are ``RATE`` a second.
    """
    stream = io.BytesIO()
    with av.open(stream, mode="w", format=container) as output:
        track = output.add_stream(codec, rate=RATE, options={"crf": "4"} if codec == "libx264" else {})
        assert isinstance(track, VideoStream)
        track.height, track.width = picture.shape[:2]
        track.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        if matrix is not None:
            a, b, c, d = (number * 0x10000 for number in matrix)
            track.set_display_matrix((a, b, 0, c, d, 0, 0, 0, 1 << 30))
        if pixel is not None:
            track.sample_aspect_ratio = pixel
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return stream.getvalue()


def resized_film(parts: Sequence[tuple[BgrImage, int]], *, codec: str = "libvpx") -> bytes:
    """A WebM whose frames change their size, as an adaptive recording of a browser.

    Args:
        parts: Pictures, and the number of frames that show each.
        codec: ``libvpx`` or ``libvpx-vp9``.
    """
    stream = io.BytesIO()
    name = {"libvpx": "vp8", "libvpx-vp9": "vp9"}[codec]
    with av.open(stream, mode="w", format="webm") as output:
        track = output.add_stream(codec, rate=RATE)
        assert isinstance(track, VideoStream)
        track.height, track.width = parts[0][0].shape[:2]
        track.pix_fmt = "yuv420p"
        shown = 0
        for picture, frames in parts:
            encoder = VideoCodecContext.create(codec, "w")
            assert isinstance(encoder, VideoCodecContext)
            encoder.height, encoder.width = picture.shape[:2]
            encoder.pix_fmt, encoder.time_base, encoder.framerate = (
                "yuv420p",
                Fraction(1, RATE),
                Fraction(RATE),
            )
            encoder.options = {"lag-in-frames": "0", "deadline": "realtime"}
            packets = []
            for _ in range(frames):
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = shown, Fraction(1, RATE)
                packets += encoder.encode(frame)
                shown += 1
            for packet in packets + encoder.encode(None):
                packet.stream = track
                output.mux(packet)
    assert name in stream.getvalue()[:4000].decode("latin-1").lower()
    return stream.getvalue()


def hdr_film(picture: BgrImage, transfer: Literal["hlg", "pq"], *, white: float = 203) -> bytes:
    """An HEVC film of ten frames with ten bits in BT.2020.

    Args:
        picture: A picture in sRGB.
        transfer: The curve.
        white: The light of the picture's white, cd/m²; by default reference white (ITU-R BT.2408).
    """
    light = _linear(picture[..., ::-1] / 255.0) @ _BT2020.T * white
    signal = _pq(light) if transfer == "pq" else _hlg(light)
    stored = np.rint(np.clip(signal, 0, 1) * 65535).astype(np.uint16)
    curve = {"pq": ColorTrc.SMPTE2084, "hlg": ColorTrc.ARIB_STD_B67}[transfer]
    name = {"pq": "smpte2084", "hlg": "arib-std-b67"}[transfer]
    parameters = f"log-level=none:crf=4:colorprim=bt2020:transfer={name}:colormatrix=bt2020nc:range=limited"
    stream = io.BytesIO()
    with av.open(stream, mode="w", format="mp4") as output:
        track = output.add_stream("libx265", rate=RATE, options={"x265-params": parameters})
        assert isinstance(track, VideoStream)
        track.height, track.width = picture.shape[:2]
        track.pix_fmt = "yuv420p10le"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(stored, format="rgb48le").reformat(
                format="yuv420p10le",
                dst_colorspace=Colorspace.BT2020,
                src_color_range=ColorRange.JPEG,
                dst_color_range=ColorRange.MPEG,
            )
            frame.color_trc, frame.color_primaries = curve, ColorPrimaries.BT2020
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            output.mux(track.encode(frame))
        output.mux(track.encode(None))
    return stream.getvalue()


_BT2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""Linear BT.709 to linear BT.2020 (ITU-R BT.2087)."""


def _linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4))


def _pq(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """SMPTE ST 2084, of light in cd/m²."""
    power = (light / 10_000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def _hlg(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """ITU-R BT.2100, of light in cd/m² on a display of 1000 cd/m²."""
    luminance = np.maximum(light @ np.array([0.2627, 0.6780, 0.0593]) / 1000, 1e-9)[..., None]
    scene = light / 1000 * luminance ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.asarray(np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright))

"""The server's side of decoding an image: makes the job for a worker and verifies its answer."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from formats.image_format import ImageFormat, ImageHeader
from vision.errors import ImageError, ImageFault
from vision.isolation.process import LossCause, WorkerLost, WorkerProcess
from vision.isolation.protocol import Message, MessageKind, PixelLayout, StillCode, Unable

__all__ = ["ask_still", "still_job"]

_CODES: Final[Mapping[ImageFormat, StillCode]] = {
    ImageFormat.JP2: StillCode.JPEG2000,
    ImageFormat.J2K: StillCode.JPEG2000,
    ImageFormat.WEBP: StillCode.WEBP,
}
_REFUSALS: Final[Mapping[int, tuple[ImageFault, str]]] = {
    Unable.DOES_NOT_DECODE: (ImageFault.MALFORMED, "the image data do not decode"),
    Unable.INCOMPLETE: (
        ImageFault.MALFORMED,
        "the picture is incomplete: image data are missing or damaged; send the whole file",
    ),
    Unable.COLOURS_NOT_SUPPORTED: (
        ImageFault.UNSUPPORTED_FORMAT,
        "its channels are no grey, RGB, YCC or CMYK picture; send it as RGB",
    ),
    Unable.TOO_MANY_PACKETS: (
        ImageFault.UNSUPPORTED_FORMAT,
        "the file has too many packets to be checked; save it with fewer layers and tiles, or send a JPEG",
    ),
    Unable.ANOTHER_SIZE: (ImageFault.MALFORMED, "its headers declare different sizes"),
    Unable.ANIMATED: (ImageFault.ANIMATED, "the file is an animation; send one still image"),
}


def still_job(data: bytes, header: ImageHeader) -> Message:
    """Returns the job of an image.

    Raises:
        ValueError: The format is not decoded in isolation, which is a mistake in the caller's code.
    """
    if header.format not in _CODES:
        raise ValueError(f"{header.format.name} is not decoded in isolation")
    return Message(MessageKind.STILL, (_CODES[header.format], header.width, header.height), data)


def ask_still(worker: WorkerProcess, job: Message, header: ImageHeader, deadline: float) -> NDArray[np.uint8]:
    """Has a worker decode an image.

    Args:
        worker: The worker.
        job: The image's job.
        header: The header as this process read it; memory is allocated for its size and no other.
        deadline: On the monotonic clock.

    Returns:
        As ``DecoderPool.decode_still``.

    Raises:
        ImageError: The image does not decode.
        WorkerLost: There is no answer, or it does not fit the header.
    """
    worker.send_job(job, deadline=deadline)
    kind, numbers, length = worker.receive_answer(deadline=deadline)
    if kind is MessageKind.UNABLE and not length:
        worker.expect_silence()
        _refuse(numbers[0], header)
    try:
        mode = PixelLayout(numbers[0])
    except ValueError:
        raise WorkerLost(LossCause.BROKEN_ANSWER) from None
    expected = header.pixels * mode.pixel_bytes
    if kind is not MessageKind.PIXELS or numbers[1:3] != (header.width, header.height) or length != expected:
        raise WorkerLost(LossCause.BROKEN_ANSWER)
    rows = np.empty((header.height, header.width, mode.pixel_bytes), np.uint8)
    worker.read_into(rows, deadline=deadline)
    worker.expect_silence()
    return _arranged(rows, mode)


def _refuse(code: int, header: ImageHeader) -> None:
    if code == Unable.OUT_OF_MEMORY:
        raise WorkerLost(LossCause.MEMORY_LIMIT)
    if code not in _REFUSALS:
        raise WorkerLost(LossCause.BROKEN_ANSWER)
    fault, what = _REFUSALS[code]
    raise ImageError(fault, f"{header.format.name}: {what}", details={"format": header.format.name})


def _arranged(rows: NDArray[np.uint8], mode: PixelLayout) -> NDArray[np.uint8]:
    match mode:
        case PixelLayout.GREY:
            return rows[..., 0]
        case PixelLayout.GREY_ALPHA:
            return np.ascontiguousarray(rows[..., [0, 0, 0, 1]])
        case PixelLayout.BGR | PixelLayout.BGRA:
            return rows

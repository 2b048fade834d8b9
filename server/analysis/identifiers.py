"""Names of answers, for support: random, so that they tell nothing and nobody guesses another's."""

from collections.abc import Callable

__all__ = ["image_request_id", "video_inference_id"]

_IMAGE_BYTES = 8
_VIDEO_BYTES = 9


def image_request_id(random: Callable[[int], bytes]) -> str:
    """``lv_`` and 16 hexadecimal digits (seed 002).

    Args:
        random: Gives that many random bytes of a cryptographic source.
    """
    return f"lv_{random(_IMAGE_BYTES).hex()}"


def video_inference_id(random: Callable[[int], bytes]) -> str:
    """``inf_`` and 18 hexadecimal digits, as long as seed 001 shows it.

    Args:
        random: Gives that many random bytes of a cryptographic source.
    """
    return f"inf_{random(_VIDEO_BYTES).hex()}"

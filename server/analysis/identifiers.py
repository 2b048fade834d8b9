"""Identifiers of responses, for support; random, so that they reveal nothing and cannot be guessed."""

from collections.abc import Callable

__all__ = ["image_request_id", "video_inference_id"]

_IMAGE_BYTES = 8
_VIDEO_BYTES = 9


def image_request_id(random: Callable[[int], bytes]) -> str:
    """Returns ``lv_`` and 16 hexadecimal digits as in the older selfie API.

    Args:
        random: Returns the given number of bytes of a cryptographic source.
    """
    return f"lv_{random(_IMAGE_BYTES).hex()}"


def video_inference_id(random: Callable[[int], bytes]) -> str:
    """Returns ``inf_`` and 18 hexadecimal digits, as in the older video API.

    Args:
        random: Returns the given number of bytes of a cryptographic source.
    """
    return f"inf_{random(_VIDEO_BYTES).hex()}"

"""Libraries that only some frame sources need, and that an extra of the distribution installs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from facegate_client.errors import SourceError

__all__ = ["needed_by"]


@contextmanager
def needed_by(extra: Literal["camera", "video"]) -> Iterator[None]:
    """Wraps the import of an extra's library.

    Raises:
        SourceError: The library is not installed; the message names the extra.
    """
    try:
        yield
    except ImportError as error:
        raise SourceError(
            f"{error.name or 'OpenCV'} is not installed or cannot be loaded, and this source needs it: "
            f"pip install 'facegate-client[{extra}]'"
        ) from error

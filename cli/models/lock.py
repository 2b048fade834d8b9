"""A lock that allows one pull of a pack at a time, across processes."""

import asyncio
import errno
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from cli.errors import TimeRanOut
from cli.models.files import writing
from cli.models.progress import PullProgress

__all__ = ["pack_lock"]

_PAUSE: Final = 0.1
_TAKEN: Final = frozenset({errno.EACCES, errno.EAGAIN})


@asynccontextmanager
async def pack_lock(
    models_dir: Path, pack: str, *, progress: PullProgress, until: float | None
) -> AsyncIterator[None]:
    """Holds the lock of ``pack``; waits while another pull holds it.

    The system releases it at the end of the process in any case. The file stays: if it were deleted, two
    pulls could each hold a lock.

    Args:
        models_dir: Folder of the lock file.
        pack: The pack's name.
        progress: Receives a message if the call waits.
        until: Time limit in the event loop's clock; None for none.

    Raises:
        TimeRanOut: Another pull holds it for too long.
        FolderUnusable: The lock file cannot be created.
    """
    path = models_dir / f".lock-{pack}"
    with writing(path):
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        if not _take(number, path):
            progress.say(f"Another pull of {pack} is running; waiting for it.")
            while not _take(number, path):
                if until is not None and asyncio.get_running_loop().time() > until:
                    raise TimeRanOut(
                        f"another pull of {pack} was still running at the time limit. Wait for it, or "
                        "give more time."
                    )
                await asyncio.sleep(_PAUSE)
        yield
    finally:
        os.close(number)


def _take(number: int, path: Path) -> bool:
    with writing(path):
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _TAKEN:
                return False
            raise
    return True

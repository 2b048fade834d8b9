"""The folder in which a server keeps its data, tightened where an earlier version left it open to others.

What the server makes has permissions of its own (``server.private_files``). This shuts others out from what
was made before, such as each sealed object.
"""

import re
from pathlib import Path
from typing import Final

import structlog

from server.private_files import tighten

__all__ = ["protect_data"]

_OURS: Final = re.compile(
    r"facegate\.db(-wal|-shm|-journal|\.lock)?|keys|objects|evidence|probe"
    r"|\.?(token|challenge|result|evidence|memory)-\d+\.(key|pem|pub)(\.[0-9a-f]+)?"
)
"""Names in ``data_dir``, in its folder of keys and in its folder of objects."""
_OTHERS: Final = 0o007
_log = structlog.get_logger(__name__)


def protect_data(data_dir: Path) -> None:
    """Tightens ``data_dir`` and its folders of keys and objects, where they exist. Blocks for a moment.

    A folder in which something else lies, such as a home, stays as it is. It is logged if others may use it.
    """
    for folder in (data_dir, data_dir / "keys", data_dir / "objects"):
        try:
            protected = _protect(folder)
        except OSError:
            # It is not there yet, or not there at all, or its files cannot be used, which others will say.
            continue
        if not protected:
            _log.warning("data_folder_open_to_others", folder=str(folder), remedy=f"chmod 700 {folder}")


def _protect(folder: Path) -> bool:
    if all(_OURS.fullmatch(path.name) for path in folder.iterdir()):
        return tighten(folder)
    return not folder.stat().st_mode & _OTHERS

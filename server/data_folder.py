"""Restricts the data folder of a server to its owner, if an earlier version left it accessible to others.

Files that the server makes have restricted permissions (``server.private_files``). This module also protects
older files, such as sealed objects, by the permissions of their folder.
"""

import re
from pathlib import Path
from typing import Final

import structlog

from server.private_files import tighten

__all__ = ["protect_data"]

_OURS: Final = re.compile(
    r"facegate\.db(-wal|-shm|-journal|\.lock)?|keys|objects|evidence|audit-witness|probe|tenants"
    r"|\.?(token|challenge|result|evidence|memory|audit)-\d+\.(key|pem|pub|retired)(\.[0-9a-f]+)?"
)
"""Names of files of the server in ``data_dir``, in its folder of keys and in its folder of objects."""
_OTHERS: Final = 0o007
_log = structlog.get_logger(__name__)


def protect_data(data_dir: Path) -> None:
    """Restricts ``data_dir`` and its folders of keys and objects to the owner. Blocks for a moment.

    A folder that also contains other files, such as a home folder, does not change. If others have access to
    it, a warning is logged.
    """
    for folder in (data_dir, data_dir / "keys", data_dir / "objects"):
        try:
            protected = _protect(folder)
        except OSError:
            # The folder does not exist yet, or its files cannot be used, which other modules report.
            continue
        if not protected:
            _log.warning("data_folder_open_to_others", folder=str(folder), remedy=f"chmod 700 {folder}")


def _protect(folder: Path) -> bool:
    if all(_OURS.fullmatch(path.name) for path in folder.iterdir()):
        return tighten(folder)
    return not folder.stat().st_mode & _OTHERS

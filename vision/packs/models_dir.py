"""Where pulled packs lie unless somebody says otherwise."""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_models_dir"]

_OURS = "FACEGATE_MODELS_DIR"
_DATA_HOME = "XDG_DATA_HOME"


def default_models_dir(environ: Mapping[str, str], home: Path) -> Path:
    """The models folder: one subfolder for each pack, named after it.

    Args:
        environ: The environment. ``FACEGATE_MODELS_DIR`` names the folder itself (``~`` is ``home``);
            else it lies below ``XDG_DATA_HOME``. Empty values do not count, and by the XDG Base
            Directory Specification relative ones in ``XDG_DATA_HOME`` do not either.
        home: The user's home folder.

    Returns:
        The folder, which need not exist.
    """
    ours = environ.get(_OURS, "")
    if ours:
        path = Path(ours)
        return home.joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path
    data = Path(environ.get(_DATA_HOME, ""))
    return (data if data.is_absolute() else home / ".local" / "share") / "facegate" / "models"

"""The default folder of pulled packs."""

from collections.abc import Mapping
from pathlib import Path

__all__ = ["default_models_dir"]

_MODELS_DIR = "FACEGATE_MODELS_DIR"
_DATA_HOME = "XDG_DATA_HOME"


def default_models_dir(environ: Mapping[str, str], home: Path) -> Path:
    """Return the models folder, which has one subfolder for each pack, named after it.

    Args:
        environ: The environment. ``FACEGATE_MODELS_DIR`` names the folder itself (``~`` is ``home``);
            without it, the folder is below ``XDG_DATA_HOME``. Empty values are ignored, and so are
            relative ones in ``XDG_DATA_HOME``, as the XDG Base Directory Specification requires.
        home: The user's home folder.

    Returns:
        The folder, which need not exist.
    """
    configured = environ.get(_MODELS_DIR, "")
    if configured:
        path = Path(configured)
        return home.joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path
    data = Path(environ.get(_DATA_HOME, ""))
    return (data if data.is_absolute() else home / ".local" / "share") / "facegate" / "models"

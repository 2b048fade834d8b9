"""Says how to install an extra of Facegate that is missing, in the same words wherever one is needed."""

import re
from importlib import metadata
from typing import Final

_DISTRIBUTION: Final = "facegate"
_OF_EXTRA: Final = re.compile(r"""(?P<package>[^;]+?)\s*;\s*extra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


def missing_extra(purpose: str, extra: str) -> str:
    """Return the text of an error: what needs the extra, and the commands that install it.

    pip gets the packages of the extra and not ``facegate[extra]``, for which it would also install
    ``opencv-python`` beside the build that a lock file installed.

    Args:
        purpose: What needs it, such as a setting, a pack or a command.
    """
    return (
        f"{purpose} needs the extra {extra}, which is not installed: run `make install EXTRAS={extra}` in a "
        f"checkout, or `pip install {' '.join(_packages(extra)) or f'{_DISTRIBUTION}[{extra}]'}`"
    )


def _packages(extra: str) -> tuple[str, ...]:
    try:
        stated = metadata.requires(_DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return ()
    found = map(_OF_EXTRA.fullmatch, stated)
    return tuple(f'"{match["package"]}"' for match in found if match is not None and match["extra"] == extra)

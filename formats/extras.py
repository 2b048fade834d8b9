"""Says how to install an extra of Facegate that is missing, in the same words wherever one is needed."""

import re
from importlib import metadata
from typing import Final

_DISTRIBUTION: Final = "facegate"
_LAB: Final = "facegate-lab"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_OF_EXTRA: Final = re.compile(r"""(?P<package>[^;]+?)\s*;\s*extra\s*==\s*['"](?P<extra>[^'"]+)['"]""")


def missing_lab(purpose: str) -> str:
    """Return the text of an error: what needs ``facegate-lab``, and the commands that install it."""
    return (
        f"{purpose} needs facegate-lab, which is not installed: run `make install` in a checkout, or "
        f"`{_install_lab()}`. No server that decides about people needs it."
    )


def missing_extra(purpose: str, extra: str) -> str:
    """Return the text of an error: what needs the extra, and the commands that install it.

    pip gets the packages of the extra and not ``facegate[extra]``, for which it would also install
    ``opencv-python`` beside the build that a lock file installed.

    Args:
        purpose: What needs it, such as a setting, a pack or a command.
    """
    packages = _packages(extra)
    ours = f"`{_install_lab()}` and " if _lacks_lab(packages) else ""
    others = " ".join(f'"{package}"' for package in packages if not package.startswith(_LAB))
    return (
        f"{purpose} needs the extra {extra}, which is not installed: run `make install EXTRAS={extra}` in a "
        f"checkout, or {ours}`pip install {others or f'{_DISTRIBUTION}[{extra}]'}`"
    )


def extra_installed(extra: str) -> bool:
    """Return whether every package of an extra is installed, in whatever version, without loading one."""
    packages = _packages(extra)
    return bool(packages) and all(_installed(_NAME.match(package)) for package in packages)


def _install_lab() -> str:
    return f"pip install --no-deps {_LAB}=={metadata.version(_DISTRIBUTION)}"


def _lacks_lab(packages: tuple[str, ...]) -> bool:
    return any(package.startswith(_LAB) for package in packages) and not _installed(_NAME.match(_LAB))


def _installed(name: re.Match[str] | None) -> bool:
    try:
        return name is not None and bool(metadata.version(name[0]))
    except metadata.PackageNotFoundError:
        return False


def _packages(extra: str) -> tuple[str, ...]:
    try:
        stated = metadata.requires(_DISTRIBUTION) or ()
    except metadata.PackageNotFoundError:
        return ()
    found = map(_OF_EXTRA.fullmatch, stated)
    return tuple(match["package"] for match in found if match is not None and match["extra"] == extra)

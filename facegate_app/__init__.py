"""The ``facegate`` application in site-packages: one import package that contains the application's folders.

The application's own code imports its folders by their top-level names: ``server``, ``cli``, ``matcher``.
Installed under these names, they would collide with a customer's packages. So the wheel puts them below this
package, as that of ``facegate-lab`` puts ``lab`` below ``facegate_lab``, and ``main`` makes them top-level
packages only in its own process. In a checkout they are beside it.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

__all__ = ["FOLDERS", "main"]

_HERE: Final = Path(__file__).resolve().parent
_OURS: Final = frozenset({"facegate", "facegate_client", "facegate_protocol"})
"""Packages of the other distributions that the application needs."""


def _folders() -> tuple[str, ...]:
    own = _HERE if (_HERE / "cli").is_dir() else _HERE.parent
    laboratory = find_spec("facegate_lab")
    return (str(own), *((laboratory and laboratory.submodule_search_locations) or ()))


FOLDERS: Final = _folders()
"""The parents of the top-level packages: the application's, and in site-packages the laboratory's."""


def main() -> None:
    """Run the ``facegate`` command, with the application's folders first on the module path."""
    sys.path[:0] = FOLDERS
    try:
        from cli.main import main as run

        run()
    except ModuleNotFoundError as error:
        if error.name not in _OURS:
            raise
        sys.exit(
            f"{error.name} is not installed in {sys.prefix}, which was made for another version of Facegate. "
            "Install it again: `make install` in a checkout, or pip."
        )

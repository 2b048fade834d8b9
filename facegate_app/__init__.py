"""The ``facegate`` application in site-packages: one import package with the application's folders below it.

The application's own code imports its folders by their top-level names: ``server``, ``cli``, ``matcher``.
Installed as such they would collide with a customer's packages, so the wheel puts them below this package,
and ``main`` makes them top-level packages in its own process alone. In a checkout they lie beside it.
"""

import sys
from pathlib import Path
from typing import Final

__all__ = ["main"]

_HERE: Final = Path(__file__).resolve().parent
_FOLDERS: Final = _HERE if (_HERE / "cli").is_dir() else _HERE.parent
"""Where the application's folders lie."""


def main() -> None:
    """Runs the ``facegate`` command; nothing on the module path comes before the application's folders."""
    sys.path.insert(0, str(_FOLDERS))
    from cli.main import main as run

    run()

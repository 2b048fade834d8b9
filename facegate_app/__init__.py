"""The ``facegate`` application in site-packages: one import package that contains the application's folders.

The application's own code imports its folders by their top-level names: ``server``, ``cli``, ``matcher``.
Installed under these names, they would collide with a customer's packages. So the wheel puts them below this
package, and ``main`` makes them top-level packages only in its own process. In a checkout they are beside it.
"""

import sys
from pathlib import Path
from typing import Final

__all__ = ["main"]

_HERE: Final = Path(__file__).resolve().parent
_FOLDERS: Final = _HERE if (_HERE / "cli").is_dir() else _HERE.parent
"""The parent of the application's folders."""


def main() -> None:
    """Run the ``facegate`` command, with the application's folders first on the module path."""
    sys.path.insert(0, str(_FOLDERS))
    from cli.main import main as run

    run()

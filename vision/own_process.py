"""Makes the commands that start further Python processes with this code, wherever it is installed."""

import sys
from pathlib import Path
from typing import Final

_FOLDERS: Final = Path(__file__).resolve().parent.parent
"""The folder of the top-level packages: a checkout, or ``facegate_app`` in site-packages."""
_RUN: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def module_command(module: str, *arguments: str, isolated: bool = False) -> tuple[str, ...]:
    """Return the command that runs a module with this interpreter, as ``python -m`` would.

    Args:
        arguments: Its arguments in ``sys.argv``.
        isolated: Whether variables of the environment and folders of the user can add no code (``-I``); the
            current folder never can.
    """
    return (sys.executable, "-I" if isolated else "-P", "-c", _RUN, str(_FOLDERS), module, *arguments)

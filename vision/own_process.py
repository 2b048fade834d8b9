"""Starts further Python processes that run this code, wherever it is installed."""

import sys
from pathlib import Path
from typing import Final

__all__ = ["module_command"]

_FOLDERS: Final = Path(__file__).resolve().parent.parent
"""Where the top-level packages lie: a checkout, or ``facegate_app`` in site-packages."""
_RUN: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def module_command(module: str, *arguments: str, isolated: bool = False) -> tuple[str, ...]:
    """The command that runs a module with this interpreter, as ``python -m`` does with one that it finds.

    Args:
        module: Full name of the module.
        arguments: What it gets in ``sys.argv``.
        isolated: Whether no variable of the environment and no folder of the user adds code (``-I``); the
            current folder never does.
    """
    return (sys.executable, "-I" if isolated else "-P", "-c", _RUN, str(_FOLDERS), module, *arguments)

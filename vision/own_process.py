"""Makes the commands that start further Python processes with this code, wherever it is installed."""

import os
import sys
from typing import Final

from facegate_app import FOLDERS

_RUN: Final = (
    "import os, runpy, sys; sys.path[:0] = sys.argv.pop(1).split(os.pathsep); "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def module_command(module: str, *arguments: str, isolated: bool = False) -> tuple[str, ...]:
    """Return the command that runs a module with this interpreter, as ``python -m`` would.

    Args:
        arguments: Its arguments in ``sys.argv``.
        isolated: Whether variables of the environment and folders of the user can add no code (``-I``); the
            current folder never can.
    """
    return (
        sys.executable,
        "-I" if isolated else "-P",
        "-c",
        _RUN,
        os.pathsep.join(FOLDERS),
        module,
        *arguments,
    )

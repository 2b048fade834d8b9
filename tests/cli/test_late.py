"""Commands are imported when they run; their lines in the list are those of their own help."""

import subprocess
import sys

import pytest
import typer

from cli.main import COMMANDS, app

_ROOT = typer.main.get_command(app)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_line_is_the_first_sentence_of_the_command(name: str) -> None:
    command = _ROOT.commands[name]  # type: ignore[attr-defined]
    assert command.get_short_help_str(limit=80) == COMMANDS[name].text


def test_a_command_imports_no_other() -> None:
    program = (
        "import sys; from cli.main import app\n"
        "try:\n    app(['image', 'inspect', '--help'])\n"
        "except SystemExit:\n    pass\n"
        "late = {'cli.serve', 'cli.verify.command', 'server.running.app', 'simulator'}\n"
        "print(*sorted(late & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "facegate image inspect" in run.stdout
    assert run.stdout.splitlines()[-1] == ""

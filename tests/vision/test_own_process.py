import json
import os
import subprocess
from pathlib import Path

import pytest

import vision
from vision.own_process import module_command

_SHOWN = """
import json, sys, vision
print(json.dumps({"name": __name__, "arguments": sys.argv[1:], "vision": vision.__path__[0]}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a module ``shown`` and another ``vision``."""
    (tmp_path / "shown.py").write_text(_SHOWN)
    (tmp_path / "vision.py").write_text("raise SystemExit('another vision')")
    return tmp_path


def test_a_module_runs_as_main_with_our_code_before_all_other(folder: Path) -> None:
    done = subprocess.run(
        module_command("shown", "a", "-b c"),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        check=True,
    )
    shown = json.loads(done.stdout)
    assert (shown["name"], shown["arguments"]) == ("__main__", ["a", "-b c"])
    assert shown["vision"] == vision.__path__[0]


@pytest.mark.parametrize("isolated", [False, True])
def test_the_current_folder_adds_no_code(folder: Path, isolated: bool) -> None:
    done = subprocess.run(module_command("shown", isolated=isolated), cwd=folder, capture_output=True)
    assert done.returncode != 0
    assert b"No module named shown" in done.stderr


def test_an_isolated_process_takes_no_code_of_the_environment(folder: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = module_command("shown", isolated=True)
    assert subprocess.run(command, env=environment, capture_output=True).returncode != 0

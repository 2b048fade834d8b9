"""A server that cannot start says why in one line."""

import os
import subprocess
import sys
from pathlib import Path

_PROGRAM = "import typer; from cli.serve import serve; typer.run(serve)"


def _serve(tmp_path: Path, pack: str) -> tuple[int, str]:
    """Exit status and last line of a server whose models folder is ``tmp_path``."""
    ports = {f"FACEGATE_LISTENERS__{name}__PORT": "0" for name in ("DEVICE", "SERVICE", "ADMIN")}
    settings = {
        "FACEGATE_PACK": pack,
        "FACEGATE_MODELS_DIR": str(tmp_path),
        "FACEGATE_DATA_DIR": str(tmp_path / "data"),
    }
    outcome = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env={**os.environ, **ports, **settings},
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert "Traceback" not in outcome.stderr
    return outcome.returncode, outcome.stderr.strip().splitlines()[-1]


def test_a_pack_that_was_not_pulled(tmp_path: Path) -> None:
    status, line = _serve(tmp_path, "open")
    assert status == 2
    assert line.startswith("The server cannot start: the pack open is not in")
    assert "`facegate models pull open`" in line


def test_a_pack_with_an_altered_file(tmp_path: Path) -> None:
    folder = tmp_path / "buffalo_s"
    folder.mkdir()
    for name in ("det_500m.onnx", "w600k_mbf.onnx"):
        (folder / name).write_bytes(b"not what was pulled")
    status, line = _serve(tmp_path, "buffalo_s")
    assert status == 2
    assert line.startswith("The server cannot start: det_500m.onnx is not the catalogued file")
    assert "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a" in line
    assert "`facegate models pull buffalo_s`" in line

"""`make check` compares the wire with the committed descriptors of an earlier commit."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_ROOT = _HERE.parent.parent
_BASELINE = _HERE / "wire-30bce341.binpb"


def _breaking(tree: Path) -> subprocess.CompletedProcess[str]:
    buf = Path(sys.executable).with_name("buf")
    return subprocess.run(
        [str(buf), "breaking", "--against", str(_BASELINE)], cwd=tree, capture_output=True, text=True
    )


def _copy(folder: Path) -> Path:
    shutil.copytree(_ROOT / "protos", folder / "protos", ignore=shutil.ignore_patterns("*.py", "*.pyi"))
    shutil.copy(_ROOT / "buf.yaml", folder)
    return folder / "protos/facegate/v1/scan.proto"


def test_todays_wire_breaks_nothing() -> None:
    done = _breaking(_ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_removed_field_is_refused(tmp_path: Path) -> None:
    proto = _copy(tmp_path)
    whole = proto.read_text()
    field = re.search(r"^ +uint32 attempt = \d+;.*\n", whole, re.MULTILINE)
    assert field is not None
    proto.write_text(whole.replace(field[0], "", 1))
    done = _breaking(tmp_path)
    assert done.returncode != 0
    assert '"attempt"' in done.stdout


def test_a_new_field_is_allowed(tmp_path: Path) -> None:
    proto = _copy(tmp_path)
    whole = proto.read_text()
    field = re.search(r"^ +uint32 attempt = \d+;.*\n", whole, re.MULTILINE)
    assert field is not None
    added = "  // Added by a test.\n  uint32 added_by_a_test = 999;\n"
    proto.write_text(whole.replace(field[0], field[0] + added, 1))
    assert _breaking(tmp_path).returncode == 0

"""The laboratory is reached through entry points: absent or broken, it costs only what it brings."""

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.lab import lab_installed, lab_part
from cli.main import COMMANDS, app
from vision.errors import PackNotFound
from vision.packs import load_pack

_RUN = CliRunner()
_LAB_COMMANDS = [name for name, command in COMMANDS.items() if command.target is None]


class _Unloadable:
    def load(self) -> Any:
        raise ImportError("of another version")


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "entry_points", lambda **_: (_Unloadable(),))


def test_the_commands_of_the_laboratory_are_its_entry_points() -> None:
    found = {one.name: one for one in metadata.entry_points(group="facegate.lab")}
    assert found.keys() == {*_LAB_COMMANDS, "simulator"}
    assert _LAB_COMMANDS == ["demo", "try", "bench", "conformance", "evaluate"]
    assert all(one.dist is not None and one.dist.name == "facegate-lab" for one in found.values())
    assert lab_installed()
    assert all(callable(lab_part(name, name)) for name in _LAB_COMMANDS)


@pytest.fixture
def portrait(tmp_path: Path) -> str:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(b"")
    return str(path)


def _lacking(portrait: str, folder: Path) -> list[list[str]]:
    verify = ["verify", "--trusted", portrait]
    return [
        *([name] for name in _LAB_COMMANDS),
        [*verify, "--simulate", "list"],
        [*verify, "--simulate", "genuine"],
        [*verify, "--scan", "camera", "--test-device", "platform/android"],
        ["attest", "test-platform", str(folder / "platform")],
    ]


@pytest.mark.usefixtures("absent")
def test_without_it_each_of_its_commands_says_what_to_install(portrait: str, tmp_path: Path) -> None:
    install = f"pip install --no-deps facegate-lab=={metadata.version('facegate')}"
    for command in _lacking(portrait, tmp_path):
        done = _RUN.invoke(app, command)
        assert (done.exit_code, install in done.stderr) == (2, True), (command, done.output)
    assert not (tmp_path / "platform").exists()


@pytest.mark.usefixtures("absent")
def test_without_it_help_names_its_commands_apart() -> None:
    done = _RUN.invoke(app, ["--help"], env={"COLUMNS": "120"})
    assert done.exit_code == 0
    assert f"With facegate-lab: {', '.join(_LAB_COMMANDS)}." in done.output
    assert "  demo " not in done.output


@pytest.mark.usefixtures("broken")
def test_one_that_cannot_be_imported_breaks_no_other_command(portrait: str, tmp_path: Path) -> None:
    for command in _lacking(portrait, tmp_path):
        done = _RUN.invoke(app, command)
        assert (done.exit_code, "of another version" in done.stderr) == (2, True), (command, done.output)
    assert _RUN.invoke(app, ["serve", "--help"]).exit_code == 0
    assert _RUN.invoke(app, ["config", "show"]).exit_code == 0


@pytest.mark.usefixtures("absent")
def test_without_it_there_is_no_pack_embedded() -> None:
    with pytest.raises(PackNotFound, match="needs the extra embedded"):
        load_pack("embedded")


@pytest.mark.usefixtures("broken")
def test_a_pack_that_cannot_be_imported_names_the_distribution() -> None:
    with pytest.raises(PackNotFound, match=r"cannot be loaded from facegate-lab.*of another version"):
        load_pack("embedded")

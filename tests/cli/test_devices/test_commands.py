"""The commands around test devices."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.test_devices import SETTINGS_FILE, read_platform
from simulator.devices import KINDS


def test_a_platform_is_made_and_the_next_commands_are_reported(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    result = CliRunner().invoke(
        app, ["attest", "test-platform", "--out", str(folder)], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert f"facegate serve --config {folder / SETTINGS_FILE}" in result.stdout
    assert "--test-device android" in result.stdout
    assert read_platform(folder).folder == folder


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "platform.json").write_text('{"console": "NES"}')
    result = CliRunner().invoke(app, ["attest", "test-platform", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "not a test platform" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["platform.json"]


def test_the_help_of_verify_lists_every_kind_of_device() -> None:
    result = CliRunner().invoke(
        app,
        ["verify", "--trusted", "any", "--simulate", "list"],
        catch_exceptions=False,
        env={"COLUMNS": "200"},
    )
    assert result.exit_code == 0
    for kind, facts in KINDS.items():
        assert f" {kind}  {facts.description}" in result.stdout


@pytest.mark.parametrize("options", [["--test-device", "android"], ["--test-platform", "."]])
def test_a_test_device_needs_its_platform(options: list[str]) -> None:
    arguments = ["verify", "--trusted", "a.jpg", "--scan", "a.mp4", *options]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "--test-platform together" in " ".join(result.output.split())

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from server.configuration.loading import load_settings, shown_settings

_RUN = CliRunner()


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FACEGATE_LISTENERS__DEVICE__PORT", "1234")
    file = tmp_path / "facegate.toml"
    file.touch(0o600)
    file.write_text('[storage]\ndatabase_url = "postgresql+asyncpg://me:hunter2@db/x"\n')
    return file


def test_show_names_the_source_of_each_value(file: Path) -> None:
    shown = json.loads(_RUN.invoke(app, ["config", "show", "--config", str(file), "--json"]).stdout)
    assert shown["listeners.device.port"] == {"value": 1234, "origin": "environment"}
    assert shown["storage.database_url"] == {"value": "postgresql+asyncpg://me:***@db/x", "origin": "file"}
    assert shown["listeners.service.port"]["origin"] == "default"


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_no_form_shows_a_password(file: Path, form: list[str]) -> None:
    answer = _RUN.invoke(app, ["config", "show", "--config", str(file), *form])
    assert answer.exit_code == 0
    assert "listeners.device.port" in answer.stdout
    assert "hunter2" not in answer.output


@pytest.mark.parametrize("columns", ["20", "40", "80"])
def test_the_table_cuts_nothing(file: Path, columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    settings = load_settings(file)
    in_a_pipe = _RUN.invoke(app, ["config", "show", "--config", str(file)]).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    on_a_terminal = _RUN.invoke(app, ["config", "show", "--config", str(file)]).stdout
    assert "…" not in in_a_pipe + on_a_terminal
    rows = [re.split("[│┃]", re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in on_a_terminal.splitlines()]
    names = "".join(row[1].strip() for row in rows if len(row) > 1)
    for key, value in shown_settings(settings.settings).items():
        assert key in in_a_pipe
        assert value is None or str(value) in in_a_pipe
        assert key in names


def test_problems_go_to_standard_error(tmp_path: Path) -> None:
    file = tmp_path / "bad.toml"
    file.write_text("pak = 1\n")
    answer = _RUN.invoke(app, ["config", "show", "--config", str(file)])
    assert answer.exit_code == 2
    assert "did you mean pack?" in answer.stderr

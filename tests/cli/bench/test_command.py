import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli.bench import command as module
from cli.bench.command import bench, report_view
from cli.bench.scans import scan_measurements
from evaluation.bench import BenchReport, Measurement, describe_machine
from tests.cli.bench.test_scans import run

app = typer.Typer()
app.command()(bench)


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "configure_logging", lambda settings: None)


def test_an_unknown_pack_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "make_material", lambda folder, **_: None)
    result = CliRunner().invoke(app, ["--pack", "nobody's"])
    assert result.exit_code == 2
    assert "nobody's" in result.output


def test_a_pulled_pack_is_sought_in_the_folder_of_the_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "make_material", lambda folder, **_: None)
    settings = tmp_path / "facegate.toml"
    settings.write_text(f'models_dir = "{tmp_path / "models"}"\n')
    settings.chmod(0o600)
    monkeypatch.delenv("FACEGATE_MODELS_DIR", raising=False)
    monkeypatch.setenv("FACEGATE_CONFIG", str(settings))
    result = CliRunner(env={"COLUMNS": "1000"}).invoke(app, ["--pack", "open"])
    assert result.exit_code == 2
    assert str(tmp_path / "models") in result.output


def test_packs_by_default(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("FACEGATE_TEST_ASSETS", raising=False)
    assert module._default_packs() == ("embedded",)
    monkeypatch.setenv("FACEGATE_TEST_ASSETS", str(tmp_path))
    assert module._default_packs() == ("embedded",)
    (tmp_path / "models").mkdir()
    models = tmp_path / "models"
    assert module._default_packs() == ("embedded", f"open:{models}", f"insightface:{models}")


def test_the_figures_are_shown_and_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    loads: list[dict[str, Any]] = []

    async def measured(_: Console, packs: tuple[str, ...], **load: Any) -> Any:
        loads.append(load)
        return scan_measurements(packs[0], at_once=2, runs=(run(0.1, 0.2),)), {"embedded": "dlib"}

    # CI measures, by `make bench`.
    monkeypatch.setattr(module, "_measure", measured)
    file = tmp_path / "bench.json"
    arguments = ["--pack", "embedded", "--runs", "1", "--at-once", "2", "--clips", "0"]
    arguments += ["--json", str(file)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert loads == [{"runs": 1, "scans_at_once": (2,), "clips": 0}]
    assert "embedded, 2 scans at once" in result.output
    document = json.loads(file.read_text())
    figures = {(m["name"], m["unit"]): m for m in document["measurements"]}
    assert figures["CPU a frame / its model time", ""]["min"] > 1.0
    latency = figures["AttemptEnd to ScanResult", "model frames"]
    assert len(latency["values"]) == 2
    assert latency["min"] > 0
    assert "--at-once 2" in document["command"]


def test_the_table_fits_a_narrow_terminal_uncut() -> None:
    measurements = [
        measurement
        for pack in ("embedded", "another")
        for at_once in (1, 4)
        for measurement in scan_measurements(
            pack, at_once=at_once, runs=(run(*[0.1] * 50), run(*[12.3] * 50))
        )
    ]
    measurements.append(
        Measurement(
            pack="embedded",
            name="a name that is much too long for one line of eighty columns with its figures",
            load="1 scan",
            unit="model frames",
            meaning="",
            values=(1.25,) * 100,
        )
    )
    report = BenchReport(
        command="facegate bench --runs 2",
        made=datetime(2026, 1, 2, tzinfo=UTC),
        version="0.1.0",
        machine=describe_machine(),
        runtimes={"embedded": "dlib", "another": "nothing"},
        measurements=tuple(measurements),
    )
    sink = io.StringIO()
    Console(file=sink, width=80).print(report_view(report))
    text = sink.getvalue()
    assert "…" not in text
    assert text.count("CPU a frame / its model time") == 4
    assert text.count("1.25") == 3
    assert "another, 4 scans at once" in text
    assert "12,300" in text
    assert f"{describe_machine().cores} cores" in text
    assert "facegate bench --runs 2" in text

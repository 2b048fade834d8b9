import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from cli.errors import CommandError
from formats.image_header import parse_header
from lab.bench import command as module
from lab.bench import devices as devices_module
from lab.bench.command import bench
from lab.bench.devices import DeviceJob, ScanTimes, make_scans, open_devices, run_job
from lab.bench.naive import (
    Comparison,
    NaivePipeline,
    NaiveVerdict,
    naive_measurements,
    real_scans,
)
from lab.bench.phone import RecordedScan
from lab.bench.portraits import two_megabytes
from lab.bench.scans import ScanRun, scan_measurements
from lab.evaluation.bench import Measurement, ModelUse, NothingMeasured
from lab.simulator import builtin_photos
from tests.liveness.builders import face_at
from tests.packs import real_pack
from tests.ports import held_port
from vision.face import BgrImage, DetectedFace, Embedding, Landmarks
from vision.image import encode_jpeg
from vision.packs import Pack
from vision.packs.interfaces import PadNetwork

app = typer.Typer()
app.command()(bench)


@pytest.fixture(autouse=True)
def logging_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "configure_logging", lambda settings: None)


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


@pytest.mark.slow
def test_the_portrait_is_as_large_as_an_upload_may_be() -> None:
    data = two_megabytes(builtin_photos(names=("astronaut",))["astronaut"].pixels)
    assert 1_800_000 <= len(data) <= 2_000_000
    assert parse_header(data).pixels == 2400 * 2400


PERSON, OTHER, EMPTY = (np.full((64, 48, 3), level, np.uint8) for level in (200, 120, 10))


class Models:
    """Distinguishes persons by the brightness of the frame; a dark frame shows no person."""

    dimensions = 2
    name = "pad"

    def __init__(self, real: float) -> None:
        self.real = real
        self.calls: list[str] = []

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        self.calls.append("detect")
        return (face_at(),) if image.mean() > 50 else ()

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        self.calls.append("embed")
        return np.array([1, 0] if image.mean() > 160 else [0, 1], np.float32)

    def real_probability(self, image: BgrImage, face: DetectedFace) -> float:
        self.calls.append("pad")
        return self.real


def pack(models: Models, *, networks: bool = True) -> Pack:
    return replace(
        real_pack(),
        detector=models,
        embedder=models,
        pad_networks=(cast("PadNetwork", models),) if networks else (),
    )


def look(naive: NaivePipeline, images: Sequence[BgrImage]) -> NaivePipeline:
    for image in images:
        naive.run(encode_jpeg(image))
    return naive


@pytest.mark.slow
def test_every_model_sees_every_frame() -> None:
    models = Models(real=0.9)
    naive = NaivePipeline(pack(models), portrait=encode_jpeg(PERSON))
    models.calls.clear()
    verdict = look(naive, [PERSON] * 4).verdict()
    assert models.calls == ["detect", "embed", "pad"] * 4
    assert verdict.success
    assert verdict.frames == 4
    assert verdict.seconds > 0


@pytest.mark.parametrize(
    ("shown", "real", "networks", "success"),
    [
        ([PERSON] * 4, 0.4, True, False),
        ([PERSON] * 4, 0.4, False, True),
        ([OTHER] * 4, 0.9, True, False),
        ([EMPTY] * 4, 0.9, True, False),
        ([PERSON] * 2, 0.9, True, False),
    ],
    ids=["a spoof", "no network", "another person", "nobody", "too short"],
)
def test_verdicts(shown: Sequence[BgrImage], real: float, networks: bool, success: bool) -> None:
    naive = NaivePipeline(pack(Models(real), networks=networks), portrait=encode_jpeg(PERSON))
    assert look(naive, shown).verdict().success is success


def test_a_portrait_without_a_face_matches_no_one() -> None:
    naive = NaivePipeline(pack(Models(0.9)), portrait=encode_jpeg(EMPTY))
    assert not look(naive, [PERSON] * 4).verdict().success


def compared(
    *,
    load: str = "1 scan",
    server: float = 0.5,
    success: bool = True,
    naive: tuple[bool, float] = (True, 2.0),
) -> Comparison:
    verdict, seconds = naive
    return Comparison(
        genuine=load == "1 scan",
        load=load,
        frames=40,
        offered=50,
        server_seconds=server,
        express_seconds=0.8 * server,
        success=success,
        naive=NaiveVerdict(success=verdict, frames=50, seconds=seconds),
    )


def test_figures_of_two_loads() -> None:
    runs = [
        compared(),
        compared(server=1.0, naive=(False, 2.0)),
        compared(load="clips", success=False, naive=(True, 1.0)),
    ]
    figures = {(m.load, m.name): m.values for m in naive_measurements("p", runs)}
    assert figures["1 scan", "server CPU / naive CPU"] == pytest.approx((0.25, 0.5))
    assert figures["1 scan", "Express CPU / naive CPU"] == pytest.approx((0.2, 0.4))
    # 0.5 s for 40 frames received, and 2.0 s for the 50 that the device could have sent.
    received = figures["1 scan", "server CPU / naive CPU, of a received frame"]
    assert received == pytest.approx((0.3125, 0.625))
    assert figures["1 scan", "frames received"] == pytest.approx((80.0, 80.0))
    assert figures["1 scan", "server CPU a scan"] == (0.5, 1.0)
    assert figures["1 scan", "naive CPU a frame"] == pytest.approx((40.0, 40.0))
    assert figures["clips", "server CPU / naive CPU"] == pytest.approx((0.5,))
    assert figures["1 scan", "naive verdict right"] == (100.0, 0.0)
    assert figures["1 scan", "server's verdict right"] == (100.0, 100.0)
    assert figures["clips", "naive verdict right"] == (0.0,)
    assert figures["clips", "server's verdict right"] == (100.0,)


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(15.0, [0, 1, 2, 3, 4, 5]), (30.0, [0, 1, 2, 3, 5, 6]), (48.0, [0, 2, 4, 6, 8, 10])],
)
def test_a_fast_camera_is_thinned_out_as_a_device_does(
    tmp_path: Path, rate: float, expected: list[int]
) -> None:
    for number in range(12):
        (tmp_path / f"{number:05d}.jpg").touch()
    scan = RecordedScan(name="s", portrait=b"", frames=tmp_path, frames_per_second=rate, genuine=True)
    assert [int(file.stem) for file in scan.as_sent(6)] == expected
    assert len(scan.as_sent(99)) <= 12


@pytest.mark.parametrize(("rate", "frames"), [(15.0, 31), (30.0, 49)])
def test_a_device_could_have_sent_the_frames_of_the_whole_time(
    tmp_path: Path, rate: float, frames: int
) -> None:
    scan = RecordedScan(name="s", portrait=b"", frames=tmp_path, frames_per_second=rate, genuine=True)
    assert scan.offered(2.0) == frames
    assert scan.offered(0.0) == 1


@pytest.mark.slow
def test_a_clip_becomes_a_scan(assets: Path, tmp_path: Path) -> None:
    scan = next(real_scans(assets / "data" / "video", tmp_path, pack=real_pack(), most=1))
    assert 5 <= scan.frames_per_second <= 60
    assert len(scan.as_sent(40)) == 40
    assert scan.portrait.startswith(b"\xff\xd8")
    assert scan.genuine


# Every model once: 20 ms + 30 ms. All of them in a run: 1 s + 0.3 s.
USE = ModelUse(calls={"detector": 50, "embedder": 10}, seconds={"detector": 1.0, "embedder": 0.3})


def run(*results: float, server: float = 2.6, use: ModelUse = USE, refused: int = 0) -> ScanRun:
    scans = tuple(
        ScanTimes(frames=40, dropped=10, seconds_to_result=seconds, refused=2 * (number < refused))
        for number, seconds in enumerate(results)
    )
    return ScanRun(scans=scans, server_seconds=server, models=use)


def by_name(measurements: tuple[Measurement, ...]) -> dict[tuple[str, str], Measurement]:
    return {(m.name, m.unit): m for m in measurements}


def test_figures_of_two_runs() -> None:
    figures = by_name(
        scan_measurements("p", at_once=2, runs=(run(0.1, 0.2), run(0.3, 0.4, server=5.2, refused=1)))
    )
    assert figures["CPU a frame / its model time", ""].values == pytest.approx((2.0, 4.0))
    assert figures["AttemptEnd to ScanResult", "model frames"].values == pytest.approx((2.0, 4.0, 6.0, 8.0))
    assert figures["AttemptEnd to ScanResult", "ms"].values == pytest.approx((100, 200, 300, 400))
    assert figures["every model once", "ms"].values == pytest.approx((50.0, 50.0))
    assert figures["server CPU a frame", "ms"].values == pytest.approx((32.5, 65.0))
    assert figures["scans a core and second", "scans"].values == pytest.approx((2 / 2.6, 2 / 5.2))
    assert figures["refused at first", "%"].values == pytest.approx((0.0, 50.0))
    assert figures["images without credit", "%"].values == pytest.approx((20.0, 20.0))
    assert {m.load for m in figures.values()} == {"2 scans at once"}
    assert {m.pack for m in figures.values()} == {"p"}


def test_without_models_there_is_no_ratio() -> None:
    idle = ModelUse(calls={}, seconds={})
    with pytest.raises(NothingMeasured):
        scan_measurements("p", at_once=1, runs=(run(0.1, use=idle),))


def test_without_runs_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        scan_measurements("p", at_once=1, runs=())


def job(target: str, frames: Path, tickets: int) -> DeviceJob:
    return DeviceJob(
        target=target,
        frames=str(frames),
        frames_per_second=15.0,
        tickets=tuple((f"token-{number}", "00" * 32) for number in range(tickets)),
    )


def test_a_scan_without_frames_reports_the_reason(tmp_path: Path) -> None:
    with held_port() as port:
        times = run_job(job(f"127.0.0.1:{port}", tmp_path, 2))
    assert len(times) == 2
    assert all("SourceError" in scan.error and scan.seconds_to_result is None for scan in times)


@pytest.mark.slow
async def test_the_process_answers_every_job(tmp_path: Path) -> None:
    with open_devices() as devices:
        first = await make_scans(devices, job("127.0.0.1:1", tmp_path, 1))
        second = await make_scans(devices, job("127.0.0.1:1", tmp_path, 3))
    assert [len(first), len(second)] == [1, 3]
    assert all(scan.error for scan in (*first, *second))


async def test_a_process_that_does_not_answer_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices_module, "_JOB_SECONDS", 0.001)
    with open_devices() as devices, pytest.raises(CommandError, match="did not answer"):
        await make_scans(devices, job("127.0.0.1:1", tmp_path, 1))

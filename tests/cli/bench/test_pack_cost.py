import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.bench import pack_cost
from cli.bench.pack_cost import cost_measurements, measure_pack
from cli.errors import PackNotMeasured
from evaluation.bench import NothingMeasured
from simulator import builtin_photos
from vision.image import encode_jpeg

MIB = 1024 * 1024
LOADS = [{"seconds": 0.3, "peak_bytes": 150 * MIB}, {"seconds": 0.2, "peak_bytes": 152 * MIB}]
BARE = {"peak_bytes": 100 * MIB}
TIMED = {"models": {"detector": [0.004, 1.0], "PAD x": [0.002, 1.5]}, "runtime": "ONNX Runtime 1.31.1 on ..."}


def _bench(tmp_path: Path, pack: str) -> Any:
    said: list[str] = []
    return SimpleNamespace(pack=pack, material=SimpleNamespace(frames=tmp_path), say=said.append, said=said)


def test_figures() -> None:
    figures = {m.name: m for m in cost_measurements("p", loads=LOADS, bare=BARE, timed=TIMED)}
    assert figures["time to load"].values == pytest.approx((300, 200))
    assert figures["memory of the models"].values == pytest.approx((50, 52))
    assert figures["memory of the process"].values == pytest.approx((150, 152))
    assert figures["PAD x once"].values == pytest.approx((2,))
    assert figures["PAD x: published / run"].values == (1.5,)
    assert {(m.pack, m.load) for m in figures.values()} == {("p", "pack alone")}


def test_models_without_graphs_have_no_ratio() -> None:
    timed = TIMED | {"runtime": "dlib 20 on the CPU"}
    names = [m.name for m in cost_measurements("p", loads=LOADS, bare=BARE, timed=timed)]
    assert names[3:] == ["detector once", "PAD x once"]


def test_without_loads_there_is_no_figure() -> None:
    with pytest.raises(NothingMeasured):
        cost_measurements("p", loads=[], bare=BARE, timed=TIMED)


@pytest.mark.parametrize(
    ("loads", "bare", "timed"),
    [
        ([{}], BARE, TIMED),
        (LOADS, {}, TIMED),
        (LOADS, BARE, {"runtime": ""}),
        (LOADS, BARE, TIMED | {"models": {"detector": 1.0}}),
    ],
)
def test_invalid_options_are_reported(loads: Any, bare: Any, timed: Any) -> None:
    with pytest.raises(PackNotMeasured, match="invalid answer"):
        cost_measurements("p", loads=loads, bare=bare, timed=timed)


async def test_a_pack_that_does_not_load(tmp_path: Path) -> None:
    (tmp_path / "0.jpg").write_bytes(b"no image")
    with pytest.raises(PackNotMeasured, match="nobody's could not be measured: "):
        await measure_pack(_bench(tmp_path, "nobody's"))


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('x')", "invalid answer"),
        ("print('[1]')", "invalid answer"),
        ("import time; time.sleep(60)", "within"),
    ],
)
async def test_a_process_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, said: str
) -> None:
    (tmp_path / "0.jpg").write_bytes(b"")
    monkeypatch.setattr(pack_cost, "_PROBE", (sys.executable, "-c", program))
    monkeypatch.setattr(pack_cost, "_PROBE_SECONDS", 2.0)
    with pytest.raises(PackNotMeasured, match=said):
        await measure_pack(_bench(tmp_path, "p"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
async def test_a_real_pack_is_measured(tmp_path: Path) -> None:
    photo = builtin_photos(names=("astronaut",))["astronaut"]
    (tmp_path / "0.jpg").write_bytes(encode_jpeg(photo.pixels, quality=90))
    bench = _bench(tmp_path, "embedded")
    figures = {m.name: m for m in await measure_pack(bench)}
    assert len(figures["time to load"].values) == 3
    assert figures["time to load"].least > 1
    assert 1 < figures["memory of the models"].median < 2000
    assert figures["embedder once"].median > figures["detector once"].median / 100
    assert len(bench.said) == 5

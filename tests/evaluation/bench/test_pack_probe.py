import json
from pathlib import Path

import pytest
from skimage import data

from evaluation.bench import NothingMeasured
from evaluation.bench.pack_probe import main, model_calls, peak_bytes, time_pairs
from tests.packs import shared_pack
from vision.image import encode_jpeg
from vision.packs import Pack

NETWORKS = ("minifas_v2se", "minifasnet_v1se", "minifasnet_v2")


@pytest.fixture(scope="module")
def pack(assets: Path) -> Pack:
    return shared_pack(f"open:{assets / 'models'}")


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(encode_jpeg(data.astronaut()[..., ::-1].copy(), quality=90))
    return path


def test_the_peak_is_read_from_the_status() -> None:
    assert peak_bytes("Name:\tx\nVmPeak:\t  9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1 kB\n") == 2048 * 1024
    with pytest.raises(NothingMeasured):
        peak_bytes("Name:\tx\n")


def test_models_are_timed_in_turn() -> None:
    """A clock that the calls advance: ours takes 2, theirs 6, and 60 once, which is not the median."""
    now = 0.0
    order: list[str] = []

    def spend(who: str, seconds: float) -> None:
        nonlocal now
        order.append(who)
        now += 60 if len(order) == 2 else seconds

    timed = time_pairs(
        {"m": lambda: spend("ours", 2)}, {"m": lambda: spend("theirs", 6)}, rounds=3, clock=lambda: now
    )
    assert timed == {"m": (2, 3)}
    assert order == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]


def test_every_model_can_be_called(pack: Pack) -> None:
    calls = model_calls(pack, data.astronaut()[..., ::-1].copy())
    assert list(calls) == ["detector", "landmarks", "embedder", *(f"PAD {name}" for name in NETWORKS)]
    assert all(call() is not None for call in calls.values())
    with pytest.raises(NothingMeasured, match="no face"):
        model_calls(pack, data.astronaut()[:60].copy())


@pytest.mark.slow
def test_each_question_is_answered(assets: Path, portrait: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = f"open:{assets / 'models'}"
    answers = {}
    for question in ("load", "import", "time"):
        assert main([question, spec, str(portrait), "json", "no_module_of_this_name"]) == 0
        answers[question] = json.loads(capsys.readouterr().out)
    assert answers["load"]["seconds"] > 0
    assert answers["import"]["peak_bytes"] > 1_000_000
    expected = {"detector", "landmarks", "embedder", *(f"PAD {name}" for name in NETWORKS)}
    assert set(answers["time"]["models"]) == expected
    assert answers["time"]["runtime"].startswith("ONNX Runtime")


def test_a_failed_measurement_prints_one_line(portrait: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["load", "nobody's", str(portrait)]) == 2
    assert main(["load", "open", str(portrait.parent / "none.jpg")]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 2
    assert "nobody's" in output.err

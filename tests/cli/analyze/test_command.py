"""``facegate analyze`` as a user runs it, with the embedded pack and real decoders."""

import asyncio
import json
import os
import re
import stat
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from cli.analyze import command
from cli.analyze.command import analyze
from formats.image_format import ImageFormat
from lab.simulator.photo import builtin_image
from server.analysis.image import ImageAnalyst
from tests.cli.analyze.samples import clip, sound_only
from tests.server.analysis.uploads import genuine, video, with_bystander
from tests.server.live import portrait, serving, settings_for
from tests.server.models_once import remembering_pack
from tests.server.pages.reading import Page
from vision.errors import ModelFailed
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image, encode_jpeg
from vision.packs import Pack

_app = typer.Typer()
_app.command()(analyze)
_runner = CliRunner(env={"COLUMNS": "120"})

SIGNALS = [
    "sharpness",
    "eye_aspect_ratio",
    "head_pose",
    "face_area_ratio",
    "facial_symmetry",
    "lbp_texture",
    "exif_metadata",
    "fft_deepfake",
]


@pytest.fixture(autouse=True)
def _pack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded pack with cached answers, without the settings of the machine."""

    def load(spec: str, **_: object) -> Pack:
        assert spec == "embedded"
        return remembering_pack()

    monkeypatch.setattr(command, "load_pack", load)
    for name in ("FACEGATE_CONFIG", "FACEGATE_API_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str | Path) -> tuple[int, str, str]:
    result = _runner.invoke(_app, [*map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def answers(*arguments: str | Path) -> tuple[int, list[dict[str, Any]]]:
    status, output, error = run(*arguments, "--json")
    assert error == ""
    return status, [json.loads(line) for line in output.splitlines()]


def pixels() -> BgrImage:
    decoded = decode_image(
        portrait(),
        limits=DecodeLimits(max_bytes=10_000_000, max_pixels=10_000_000, max_side=5000),
        formats=frozenset({ImageFormat.JPEG}),
        honour_exif_orientation=True,
    )
    return decoded.pixels


@pytest.fixture
def selfie(tmp_path: Path) -> Path:
    file = tmp_path / "selfie.jpg"
    file.write_bytes(portrait())
    return file


def test_pictures_are_answered_with_the_eight_signals_and_several_are_summed_up(selfie: Path) -> None:
    status, output, error = run(selfie, "--mode", "basic")
    assert error == ""
    assert status == (0 if output.startswith("LIVE") else 1)
    assert "Sum of the eight signals" in output
    assert "Fusion" not in output
    assert [line.split()[1] for line in output.splitlines() if re.match(r" [✓○✗·]  \w", line)] == SIGNALS
    status, output, _ = run(selfie, selfie.parent / "none.jpg", "--mode", "basic")
    assert status == 2
    assert "2 analysed:" in output
    assert "1 no verdict." in output


def test_json_is_the_envelope_of_the_contract(selfie: Path) -> None:
    status, (answer,) = answers(selfie, "--mode", "basic")
    assert list(answer) == ["status", "request_id", "timestamp", "result", "error", "assessment"]
    assert (answer["status"], answer["error"]) == ("success", None)
    assert "deepfakes and injected recordings were not assessed" in answer["assessment"].lower()
    assert re.fullmatch("lv_[0-9a-f]{16}", answer["request_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["timestamp"])
    result = answer["result"]
    assert list(result) == ["verdict", "confidence", "threshold", "face_detected", "signals"]
    assert (result["threshold"], result["face_detected"]) == (0.58, True)
    signals = result["signals"]
    assert [signal["name"] for signal in signals] == SIGNALS
    assert all(list(each) == ["name", "label", "score", "weight", "passed", "detail"] for each in signals)
    assert sum(signal["weight"] for signal in signals) == pytest.approx(1)
    added = sum(each["weight"] * each["score"] for each in signals)
    assert result["confidence"] == pytest.approx(min(added, 0.7), abs=1e-3)
    assert all(each["passed"] is (each["score"] >= 0.5) for each in signals)
    assert status == (0 if result["verdict"] == "LIVE" else 1)


def test_full_mode_asks_the_fusion_too(selfie: Path) -> None:
    status, (answer,) = answers(selfie)
    assert answer["full"]["verdict"] in {"LIVE", "SPOOF", "INCONCLUSIVE"}
    assert status == (0 if answer["full"]["verdict"] == "LIVE" else 1)
    assert {"pad_network", "planar_motion"} <= {each["name"] for each in answer["full"]["signals"]}
    assert answer["full"]["explanations"]


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty.jpg": (lambda: b"", "The file is empty"),
    "text.jpg": (lambda: b"Dear reader,\nthis is a letter.\n", "neither an image"),
    "paper.pdf": (lambda: b"%PDF-1.7\n%" + bytes(60), "a PDF document"),
    "big.jpg": (lambda: portrait() + bytes(11_000_000), "at most 10000000"),
    "cut.jpg": (lambda: portrait()[:200], "JPEG"),
    "record.jp2": (lambda: b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(60), "the image is JP2"),
    "noise.mp4": (lambda: b"\0\0\0\x18ftypisom" + bytes(4000), "MP4"),
    "sound.mp4": (sound_only, "video"),
    "sound.wav": (lambda: b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "not MP4, MOV, AVI, WebM or MKV"),
}


def test_bad_input_has_no_verdict_and_an_explanation(tmp_path: Path, selfie: Path) -> None:
    for name, (content, _) in BAD.items():
        (tmp_path / name).write_bytes(content())
    (tmp_path / "folder").mkdir()
    files = [tmp_path / name for name in BAD]
    status, found = answers(*files, tmp_path / "folder", tmp_path / "missing.png", selfie, "--mode", "basic")
    assert status == 2
    *bad, folder, missing, good = found
    for (name, (_, words)), answer in zip(BAD.items(), bad, strict=True):
        assert (answer["status"], answer["result"]) == ("error", None), name
        assert answer["error"]["code"] == "INVALID_REQUEST", name
        assert words in answer["error"]["message"], (name, answer["error"])
    assert "is a folder: give the files in it" in folder["error"]["message"]
    assert "does not exist" in missing["error"]["message"]
    assert good["status"] == "success"


def test_a_picture_without_a_face_and_one_with_two(tmp_path: Path) -> None:
    empty, two = tmp_path / "empty.png", tmp_path / "two.jpg"
    empty.write_bytes(encode_jpeg(np.full((300, 300, 3), 128, np.uint8), 90))
    face = pixels()
    two.write_bytes(encode_jpeg(np.hstack([face, face]), 90))
    status, found = answers(empty, two, "--mode", "basic")
    assert status == 2
    assert [answer["error"]["code"] for answer in found] == ["NO_FACE_DETECTED", "MULTIPLE_FACES_DETECTED"]


def test_the_policy_decides_which_faces_of_a_video_count(tmp_path: Path) -> None:
    film, strict = tmp_path / "film.avi", tmp_path / "strict.toml"
    film.write_bytes(video(with_bystander(count=9), "avi"))
    shipped = (files("server.policies") / "shipped" / "standard.toml").read_text("utf-8")
    strict.write_text(f"{shipped}\n[subject]\nbackground_width = 0.0\n")
    _, (answer,) = answers(film)
    assert answer["result"]["video"]["usable_frames"] == 9
    status, (answer,) = answers(film, "--policy", strict)
    assert (status, answer["error"]["code"]) == (2, "MULTIPLE_FACES_DETECTED")


def test_where_a_model_fails_there_is_no_verdict(selfie: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ModelFailed("it broke")

    monkeypatch.setattr(ImageAnalyst, "analyse", fail)
    status, (answer,) = answers(selfie)
    assert (status, answer["error"]["code"]) == (2, "INFERENCE_ERROR")


def test_a_video_is_judged_over_time(tmp_path: Path) -> None:
    face = builtin_image("astronaut")
    height, width = face.shape[:2]
    small = np.ascontiguousarray(face[: height - height % 2, : width - width % 2][::2, ::2])
    small = small[: small.shape[0] // 2 * 2, : small.shape[1] // 2 * 2]
    film = tmp_path / "clip.mp4"
    film.write_bytes(clip([np.roll(small, shift, axis=1) for shift in range(12)]))
    page = tmp_path / "why.html"
    status, output, error = run(film, "--json", "--explain", page)
    (answer,) = (json.loads(line) for line in output.splitlines())
    assert answer["status"] == "success", answer
    assert re.fullmatch("inf_[0-9a-f]{18}", answer["request_id"])
    result = answer["result"]
    assert result["moderation_type"] == "video"
    assert (result["video"]["media_type"], result["video"]["frames"]) == ("video/mp4", 12)
    assert status == (0 if result["result"]["is_real"] else 1)
    assert "contains biometric data" in error
    shown = Page(page.read_text())
    assert "Timeline" in shown.text
    assert "Selected frames" in shown.text


def test_too_few_stills_are_refused_and_too_many_before_any_is_read(selfie: Path) -> None:
    status, (answer,) = answers(selfie, selfie, "--as-frames")
    assert status == 2
    assert answer["error"]["code"] == "INVALID_REQUEST"
    assert "8" in answer["error"]["message"]
    status, out, error = run(*(f"none-{number}.png" for number in range(121)), "--as-frames")
    assert (status, out) == (2, "")
    assert "121 still frames are too many" in error
    assert "none-0.png" not in error


def test_the_page_explains_and_is_the_owners_alone(selfie: Path, tmp_path: Path) -> None:
    page = tmp_path / "why.html"
    old = os.umask(0)
    try:
        _, _, error = run(selfie, "--explain", page)
    finally:
        os.umask(old)
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert "why.html: it contains biometric data" in error
    shown = Page(page.read_text())
    for title in ("The image", "Skin micro-texture", "Frequencies", "Tags of the camera"):
        assert title in shown.text
    assert {link.partition(":")[0] for link in shown.links} <= {"data"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["selfie.jpg", "why.html"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--explain", "x.html", "--service", "127.0.0.1:1"], "returns no images"),
        (["--pack", "open", "--service", "127.0.0.1:1"], "the server uses its own"),
        (["--policy", "high", "--service", "127.0.0.1:1"], "the server uses its own"),
        (["--ca", "ca.pem"], "it is valid only with --service"),
        (["--policy", "nonsense"], "nonsense"),
        (["--policy", "none.toml"], "cannot be read"),
        (["--explain", "mine.html"], "remove it first"),
        ([__file__] * 50 + ["--explain", "x.html"], "at most 50"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    selfie: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(selfie.parent)
    mine = Path("mine.html")
    mine.write_text("mine")
    status, output, error = run(selfie, *options)
    assert mine.read_text() == "mine"
    assert (status, output) == (2, "")
    assert words in re.sub(r"[\s│]+", " ", error)


def test_pictures_of_a_person_and_of_a_screen(assets: Path, tmp_path: Path) -> None:
    pad, page = assets / "data" / "pad", tmp_path / "why.html"
    live = pad / "live" / "feni-katharoti__data__All_Real_aspect_resized__1.jpg"
    screen = pad / "spoof" / "feni-katharoti__data__Spoof_aspect_resized__7899.jpg"
    _, output, error = run(live, screen, "--json", "--explain", page)
    of_live, of_screen = map(json.loads, output.splitlines())
    assert "contains biometric data" in error
    assert of_live["result"]["confidence"] > of_screen["result"]["confidence"]
    found = {each["name"]: each["score"] for each in of_screen["full"]["signals"]}
    assert found["moire"] < 0.1, "the screen's pixels are plain to see"
    shown = Page(page.read_text())
    assert shown.open == []
    assert shown.text.count("Regular patterns (moire)") == 2
    assert shown.text.count("68 landmarks") == 2


@pytest.mark.slow
def test_clips_of_a_person_and_of_a_photo(assets: Path, tmp_path: Path) -> None:
    videos, page = assets / "data" / "video", tmp_path / "why.html"
    live = videos / "live" / "lestari15__videos__real.mp4"
    spoof = videos / "spoof" / "lestari15__videos__fake.mp4"
    status, output, error = run(live, spoof, "--json", "--explain", page)
    of_live, of_photo = map(json.loads, output.splitlines())
    assert status == 1
    assert "contains biometric data" in error
    assert of_live["result"]["verdict"] == "LIVE"
    assert of_photo["result"]["verdict"] == "SPOOF"
    assert of_live["result"]["video"]["media_type"] == "video/mp4"
    shown = Page(page.read_text())
    assert shown.open == []
    assert shown.text.count("Timeline") == 2
    assert shown.text.count("Selected frames") == 2


_OF_THE_CALL = {"request_id", "timestamp", "inference_id", "response_time_ms", "created_at", "completed_at"}


def answers_beside_a_server(*arguments: str | Path) -> list[dict[str, Any]]:
    result = CliRunner().invoke(_app, [*map(str, arguments), "--json"], catch_exceptions=False)
    # The server of this process logs to the same stream.
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def without_identity(value: Any) -> Any:
    """An answer without the fields that differ between calls."""
    if isinstance(value, dict):
        return {name: without_identity(each) for name, each in value.items() if name not in _OF_THE_CALL}
    return [without_identity(each) for each in value] if isinstance(value, list) else value


@pytest.mark.slow
async def test_a_real_server_answers_the_same(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("selfie.jpg", "broken.png", "clip.avi")]
    contents = (portrait(), b"\x89PNG\r\n\x1a\n and nothing else", video(genuine(12)))
    for file, content in zip(files, contents, strict=True):
        await asyncio.to_thread(file.write_bytes, content)
    here = await asyncio.to_thread(answers_beside_a_server, *files)
    (tmp_path / "server").mkdir()
    async with serving(settings_for(tmp_path / "server", analysis={"video_workers": 1})) as server:
        there = await asyncio.to_thread(
            answers_beside_a_server, *files, "--service", server.server.service_target
        )
    assert [each["status"] for each in there] == ["success", "error", "success"]
    assert without_identity(there) == without_identity(here)

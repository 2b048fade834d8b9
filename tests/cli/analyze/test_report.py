import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console, RenderableType

from cli.analyze.figures import (
    colour_map,
    exif_words,
    face_speed,
    pattern_group,
    repeats,
    timeline,
    whole_spectrum,
)
from cli.analyze.page import explained_file, page_html
from cli.analyze.printing import finding_view, summary_view
from cli.analyze.report import ExplainedFile, as_envelope, as_json_line
from formats.exif import ExifState, ExifTags
from lab.tests.demo.builders import PACK
from liveness.express.pad_network import PadScore
from liveness.observation import FrameObservation, ScanObservations, SkippedFrame
from liveness.verdict import Verdict
from server.pages import Html
from server.pages.rendering import TEMPLATES
from tests.cli.analyze.samples import (
    FACE,
    NETWORK,
    Network,
    image_study,
    observation,
    picture,
    picture_finding,
    problem_finding,
    video_finding,
    video_study,
)
from tests.server.pages.reading import Page
from vision.face import Box, DetectedFace


def test_a_picture_has_exactly_the_fields_of_the_contract() -> None:
    answer = json.loads(as_json_line(picture_finding()))
    signals = answer["result"].pop("signals")
    assert answer == {
        "status": "success",
        "request_id": "lv_0123456789abcdef",
        "timestamp": "2026-02-07T10:04:55.170Z",
        "result": {"verdict": "LIVE", "confidence": 0.7421, "threshold": 0.58, "face_detected": True},
        "error": None,
        "assessment": "No sign. Deepfakes were not assessed.",
    }
    assert signals[0] == {
        "name": "sharpness",
        "label": "Sharpness",
        "score": 0.8124,
        "weight": 0.125,
        "passed": True,
        "detail": "Fine.",
    }


def test_full_mode_adds_the_fusion_beside_the_result() -> None:
    plain, full = as_envelope(picture_finding()), as_envelope(picture_finding(full=True))
    assert {name: value for name, value in full.items() if name != "full"} == plain
    assert full["full"]["verdict"] == "INCONCLUSIVE"
    assert full["full"]["confidence"] == 0.125
    assert full["full"]["attack_type_name"] == "screen_replay"
    assert [signal["score"] for signal in full["full"]["signals"]] == [0.05, 0.4, None]


def test_a_video_has_the_fields_of_the_video_contract() -> None:
    answer = json.loads(as_json_line(video_finding()))
    result = answer["result"]
    assert (answer["status"], answer["error"]) == ("success", None)
    assert {name: result[name] for name in list(result)[:9]} == {
        "inference_id": "inf_0123456789abcdef01",
        "model_id": "face_liveness",
        "model_name": "Face Liveness Detection",
        "moderation_type": "video",
        "status": "completed",
        "result": {
            "is_real": False,
            "is_spoof": True,
            "real_probability": 0.125,
            "confidence": 0.875,
            "attack_type": 2,
            "attack_type_name": "screen_replay",
            "attack_type_confidence": 0.525,
        },
        "response_time_ms": 2100,
        "created_at": "2026-02-07T10:04:55.120Z",
        "completed_at": "2026-02-07T10:04:57.220Z",
    }
    assert result["video"] == {"media_type": "video/mp4", "frames": 40}
    assert len(result["explanations"]) == 2
    assert answer["assessment"] == "Deepfakes were not assessed."


def test_an_inconclusive_video_is_neither_real_nor_a_spoof() -> None:
    result = as_envelope(video_finding(Verdict.INCONCLUSIVE))["result"]["result"]
    assert (result["is_real"], result["is_spoof"]) == (False, False)


def test_a_problem_is_an_error_without_a_result() -> None:
    answer = as_envelope(problem_finding())
    assert (answer["status"], answer["result"]) == ("error", None)
    assert answer["error"] == {"code": "INVALID_REQUEST", "message": "It is empty."}
    assert list(answer) == ["status", "request_id", "timestamp", "result", "error"]


def printed(view: RenderableType) -> str:
    stored = io.StringIO()
    Console(file=stored, width=200, force_terminal=False).print(view)
    return stored.getvalue()


def test_a_picture_shows_every_signal() -> None:
    output = printed(finding_view(picture_finding()))
    first, second, *_ = output.splitlines()
    assert first == (
        "LIVE 0.74  folder/selfie.jpg: no sign of an attack that this pack can detect; deepfakes and "
        "injected recordings were not assessed"
    )
    assert second.strip() == "No sign. Deepfakes were not assessed."
    assert "SPOOF below 0.54, LIVE from 0.62, INCONCLUSIVE between." in output
    for name in ("sharpness", "lbp_texture", "fft_deepfake"):
        assert name in output
    (line,) = (line for line in output.splitlines() if "fft_deepfake" in line)
    assert line.split()[0] == "✗"
    assert "0.25" in line
    assert "lv_0123456789abcdef" in output


def test_a_signal_of_half_is_neutral() -> None:
    finding = picture_finding()
    assert finding.selfie is not None
    first, *others = finding.selfie.signals
    signals = (replace(first, score=0.5, passed=True), *others)
    output = printed(finding_view(replace(finding, selfie=replace(finding.selfie, signals=signals))))
    (line,) = (line for line in output.splitlines() if f" {first.name} " in line)
    assert line.split()[0] == "○"


def test_a_video_names_the_kind_of_attack_and_why() -> None:
    output = printed(finding_view(video_finding()))
    assert output.startswith("SPOOF 0.12, looks like screen replay (0.53)  clip.mp4")
    assert "Why: The PAD network sees an attack. It moves as a flat picture does." in output
    (line,) = (line for line in output.splitlines() if " blink " in line)
    assert line.split()[0] == "·"
    assert "looks like" not in printed(finding_view(video_finding(Verdict.INCONCLUSIVE)))


def test_in_full_mode_the_fusion_decides() -> None:
    output = printed(finding_view(picture_finding(full=True)))
    assert output.startswith("INCONCLUSIVE 0.12  folder/selfie.jpg")
    assert "Sum of the eight signals: LIVE" in output


def test_nothing_of_a_file_is_obeyed_by_the_terminal() -> None:
    hostile = "\x1b[2J\u202e[red]"
    named = replace(picture_finding(detail=hostile), files=(Path(hostile),))
    output = "".join(printed(finding_view(each)) for each in (named, problem_finding(message=hostile)))
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert output.count(r"\x1b[2J\u202e[red]") == 3


def test_nothing_of_a_server_is_obeyed_by_the_terminal() -> None:
    hostile = "\x1b[2J[/red]"
    video, bad = video_finding(), problem_finding(code=hostile)
    fusion = video.fusion
    assert fusion is not None
    signal = replace(fusion.signals[0], name=hostile)
    fusion = replace(fusion, signals=(signal,), explanations=(hostile,))
    video = replace(video, fusion=fusion, request_id=hostile)
    for view in (finding_view(video), finding_view(bad), summary_view([video, bad])):
        output = printed(view)
        assert "\x1b" not in output
        assert r"\x1b[2J[/red]" in output


def test_the_summary_counts() -> None:
    output = printed(summary_view([picture_finding(), video_finding(), problem_finding()]))
    assert "3 analysed: 1 live, 1 spoof, 0 inconclusive, 1 no verdict." in output
    assert "IMAGE_EMPTY" in output
    assert "fft_deepfake" in output


EXIF = ExifTags(
    state=ExifState.READ,
    make="Maker",
    model="Model 7",
    f_number=1.8,
    exposure_seconds=0.02,
    software=("GIMP <2>",),
)


def rendered(*explained: ExplainedFile) -> Page:
    pack = replace(PACK, pad_networks=(Network(),))
    files = [explained_file(each, pack, number=number) for number, each in enumerate(explained, start=1)]
    html = page_html(
        files,
        [each.finding for each in explained],
        pack=pack,
        policy="standard",
        mode="full",
        version="0.1.0",
        made=datetime(2026, 1, 2, 3, 4, tzinfo=UTC),
    )
    return Page(html)


@pytest.fixture(scope="module")
def page() -> Page:
    return rendered(
        ExplainedFile(finding=picture_finding(full=True), image=image_study(), exif=EXIF),
        ExplainedFile(finding=video_finding(), video=video_study()),
        ExplainedFile(finding=problem_finding()),
    )


def test_the_page_is_well_formed_and_needs_nothing_else(page: Page) -> None:
    assert page.open == []
    assert len(set(page.ids)) == len(page.ids)
    assert page.without_words == []
    assert not re.search(r"\{[a-z_]+\}", page.source)
    assert "nan" not in re.sub(r"base64,[^\"]*", "", page.source)
    assert "This page contains biometric data" in page.text
    assert {link.partition(":")[0] for link in page.links if not link.startswith("#")} == {"data"}
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub(r"base64,[^\"]*", "", page.source))
    assert not {"script", "link", "iframe", "form", "object"} & set(page.tags)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "default-src 'none'" in page.source


def test_every_section_is_there(page: Page) -> None:
    for title in (
        "At a glance",
        "The fusion of all signals",
        "The sum of the eight signals",
        "Skin micro-texture (lbp_texture)",
        "Frequencies (fft_deepfake)",
        "Timeline",
        "Properties of the file",
    ):
        assert title in page.text, title
    # An image: itself, its face, two maps with their inputs, the pattern on the face, two crops.
    # A video: two frames, the same pattern, two crops.
    assert page.pictures == (2 + 4 + 1 + 2) + (2 + 1 + 2)
    assert f"{NETWORK}: real with probability 0.750" in page.text
    assert "Maker Model 7" in page.text
    assert "screen replay" in page.text
    assert (
        "3 files: 1 INCONCLUSIVE, 1 SPOOF, 1 NO VERDICT (deepfakes and injected recordings were not assessed)"
    ) in page.text
    assert page.text.count("Deepfakes were not assessed.") == 2
    assert "INVALID_REQUEST (IMAGE_EMPTY) It is empty." in page.text
    assert "1 signal could not be assessed" in page.text


def test_text_of_a_file_cannot_become_markup() -> None:
    hostile = '<script>alert("1")</script><img src=x onerror=alert(1)>'
    finding = replace(
        picture_finding(detail=hostile), files=(Path(hostile.replace("/", "")),), facts={"format": hostile}
    )
    page = rendered(
        ExplainedFile(finding=finding, image=image_study(), exif=replace(EXIF, make=hostile)),
        ExplainedFile(finding=problem_finding(code=hostile, message=hostile)),
    )
    assert "script" not in page.tags
    assert "onerror" not in page.attributes
    assert page.open == []


def test_a_picture_without_a_face_is_shown_all_the_same() -> None:
    study = replace(image_study(), faces=(), landmarks=None, pad_scores=())
    page = rendered(ExplainedFile(finding=problem_finding(code="NO_FACE_DETECTED"), image=study, exif=EXIF))
    assert "No face was found in 240 x 256 pixels." in page.text
    assert "Skin micro-texture" not in page.text


def test_only_tags_that_are_there_are_reported() -> None:
    assert exif_words(ExifTags()) == {"EXIF": "absent"}
    words = exif_words(EXIF)
    assert words["F-stop"] == "f/1.8"
    assert words["Exposure"] == "1/50 s"
    assert words["Software"] == "GIMP <2>"
    assert "Place" not in words


def test_the_whole_spectrum_is_that_of_the_picture() -> None:
    image = np.random.default_rng(2).normal(size=(16, 16))
    half = np.abs(np.fft.rfft2(image)).astype(np.float32)
    expected = np.fft.fftshift(np.abs(np.fft.fft2(image)))
    np.testing.assert_allclose(whole_spectrum(half), expected, rtol=1e-4)


def test_a_grid_shows_in_the_map_and_noise_does_not() -> None:
    noise = picture()
    grid = noise // 8 + 100
    grid[:, ::4] //= 2
    said = [pattern_group(image, FACE).figures[0].caption for image in (noise, grid)]
    strength = [float(re.findall(r"face: the strongest is ([\d.]+) times", each)[0]) for each in said]
    assert strength[1] > 2 * strength[0]


def test_a_small_face_has_no_map() -> None:
    points = np.array([[10, 10], [20, 10], [15, 15], [11, 20], [19, 20]], np.float32)
    small = DetectedFace(box=Box(5, 5, 25, 30), confidence=0.9, five_points=points)
    assert not pattern_group(picture()[:40, :40], small).figures


def test_maps_on_one_scale_compare() -> None:
    weak, strong = np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])
    maps = [colour_map(values, limits=(0.0, 2.0)) for values in (weak, strong)]
    assert (maps[0][0, 0] == maps[1][0, 0]).all()
    assert (maps[0][0, -1] != maps[1][0, -1]).any()
    flat = colour_map(np.full((2, 2), 7.0))
    assert (flat == flat[0, 0]).all()


def drawn_of(chart: dict[str, Any]) -> Html:
    return Html(TEMPLATES.get_template("charts.svg").module.time_chart(chart))  # type: ignore[attr-defined]


def scan(*frames: FrameObservation) -> ScanObservations:
    passed = SkippedFrame(index=99, capture_time=10.25, fingerprint=None, samples=None)
    return ScanObservations(frames=frames, motion=(), passed=(passed,))


@pytest.fixture
def frames() -> tuple[FrameObservation, ...]:
    first, second = observation(0), observation(1, left=66.0)
    third = replace(observation(2, left=66.0), samples=second.samples)
    return first, second, third, observation(3, faces=0), observation(4, faces=2)


@pytest.fixture
def chart(frames: tuple[FrameObservation, ...]) -> dict[str, Any]:
    scores = [PadScore(1, "net_b", 0.25), PadScore(1, "net_a", 0.75), PadScore(77, "net_a", 0.5)]
    return timeline(scan(*frames), scores, timed=True)


def test_each_frame_is_a_cell_and_repeated_ones_are_marked(chart: dict[str, Any]) -> None:
    faces, repeated, *_ = chart["rows"]
    assert [hint for *_, hint in faces["cells"]] == [
        "0.00 s: one face",
        "0.10 s: one face, followed",
        "0.20 s: one face",
        "0.30 s: no face, followed",
        "0.40 s: 2 faces",
    ]
    assert [hint for *_, hint in repeated["cells"]] == ["0.20 s: the same image as before"]
    assert all(width == pytest.approx(126) for _, width, *_ in faces["cells"])


def test_movement_is_measured_between_two_frames_with_a_face(frames: tuple[FrameObservation, ...]) -> None:
    assert face_speed(frames[0], frames[1]) == pytest.approx(0.5)
    assert face_speed(frames[1], frames[2]) == 0.0
    assert face_speed(frames[2], frames[3]) is None
    assert face_speed(frames[3], frames[4]) is None


def test_network_scores_are_drawn_at_their_frame(chart: dict[str, Any]) -> None:
    dots = chart["rows"][-1]["dots"]
    assert [(round(x), kind, hint) for x, _, kind, hint in dots] == [
        (244, "kind1", "0.10 s: net_b 0.25"),
        (244, "kind0", "0.10 s: net_a 0.75"),
    ]


def test_the_same_bytes_are_the_same_picture() -> None:
    first = replace(observation(0), fingerprint=7)
    assert repeats(first, replace(observation(1), fingerprint=7))
    assert not repeats(first, replace(observation(1), fingerprint=8))


def test_everything_is_drawn(chart: dict[str, Any]) -> None:
    drawn = drawn_of(chart)
    assert [
        len(re.findall(f'class="{kind}"', drawn)) for kind in ("face one", "face none", "face several")
    ] == [3, 1, 1]
    assert len(re.findall('class="repeat"', drawn)) == 1
    assert "net_a 0.75" in drawn
    # The eyes are unknown in one frame: a line for the three before it, and none for the one after.
    assert len(re.findall('class="curve eyes"', drawn)) == 1
    page = Page(drawn)
    assert page.open == []
    assert page.without_words == []
    assert "nan" not in drawn


def test_still_frames_are_drawn_by_their_number() -> None:
    chart = timeline(scan(*map(observation, range(9))), [PadScore(3, "n", 1.0)], timed=False)
    drawn = drawn_of(chart)
    assert "frame 3: n 1.00" in drawn
    assert " s<" not in drawn
    assert "9 still frames in their order" in drawn
    assert chart["rows"][3]["absent"] == "not measured"

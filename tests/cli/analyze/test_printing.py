import io
from dataclasses import replace

from rich.console import Console, RenderableType

from cli.analyze.printing import finding_view, summary_view
from liveness.verdict import Verdict
from tests.cli.analyze.samples import picture_finding, problem_finding, video_finding


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


def test_a_problem_is_reported_in_red_words() -> None:
    output = printed(finding_view(problem_finding()))
    assert output.startswith("NO VERDICT")
    assert "INVALID_REQUEST (IMAGE_EMPTY): It is empty." in output


def test_nothing_of_a_file_is_obeyed_by_the_terminal() -> None:
    hostile = "\x1b[2J\u202e[red]"
    output = printed(finding_view(picture_finding(detail=hostile))) + printed(
        finding_view(problem_finding(message=hostile))
    )
    assert "\x1b" not in output
    assert "\u202e" not in output
    assert r"\x1b[2J\u202e[red]" in output


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

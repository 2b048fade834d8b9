import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import evaluate as evaluate_command
from cli.evaluate import app
from evaluation.match.groups import GroupPromise
from evaluation.match.operating_points import FmrAt, Promise
from tests.evaluation.match.reports import made_report, pack_of
from tests.evaluation.samples import plain, small_set


def evaluate(*arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    result = CliRunner().invoke(app, ["match", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, plain(result.stderr)


def people(folder: Path, *rows: str) -> Path:
    folder.mkdir()
    for row in rows:
        name = row.partition(",")[0]
        (folder / name).write_bytes(b"no picture " + name.encode())
    (folder / "manifest.csv").write_text("file,identity,sex\n" + "".join(f"{row}\n" for row in rows))
    return folder


@pytest.mark.slow
def test_real_photos_in_groups_with_a_report(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("COLUMNS", "100")
    faces = small_set(
        assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab", "ageitgey")
    )
    out = tmp_path / "report" / "new"
    status, said, progress = evaluate(
        *("--identities", faces, "--pack", f"insightface:{assets / 'models'}", "--group-by", "source_repo"),
        *("--out", out),
    )
    assert status == 0, progress
    shown = plain(said)
    assert "0 of " in shown
    assert "not supported by these data (needs about 26 persons" in shown
    assert "ageitgey/face_" in shown
    assert f"The report is {out / 'report.html'}." in progress
    assert sorted(file.name for file in out.iterdir()) == [
        "det.png",
        "report.html",
        "report.json",
        "report.md",
        "scores.png",
    ]
    report = json.loads((out / "report.json").read_text())
    main = report["packs"][0]["sets"][0]
    assert main["persons"] >= 8
    assert main["person_pairs"] == main["persons"] * (main["persons"] - 1) // 2
    # It identifies no person: it contains no label, file or folder of this machine.
    page = (out / "report.html").read_text()
    for text in (page, (out / "report.md").read_text(), json.dumps(report), said):
        assert "celeb:" not in text
        assert ".jpg" not in text
        assert str(tmp_path) not in text
    assert page.count("data:image/png;base64,") == 2


def test_pairs_give_the_same_in_json(assets: Path, tmp_path: Path) -> None:
    source = assets / "data" / "faces"
    faces = small_set(source, tmp_path / "faces", prefixes=("serengil",))
    lines = (source / "pairs.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.startswith("serengil")]
    (faces / "pairs.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    status, said, errors = evaluate(
        "--pairs",
        faces / "pairs.csv",
        "--pack",
        f"insightface:{assets / 'models'}",
        "--json",
    )
    assert status == 0, errors
    report = json.loads(said)
    assert report["photos"]["kind"] == "pairs"
    assert report["photos"]["guessed"] is False
    main = report["packs"][0]["sets"][0]
    assert (main["genuine_comparisons"], main["impostor_comparisons"]) == (38, 262)
    assert "--pairs pairs.csv --pack insightface:DIR" in report["command"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "either --identities DIR or --pairs FILE"),
        (("--identities", "good", "--pairs", "good/manifest.csv"), "either --identities DIR or --pairs FILE"),
        (("--identities", "none"), "none is no folder"),
        (("--pairs", "none.csv"), "none.csv cannot be read: No such file or directory"),
        (("--pairs", "good/manifest.csv"), "has no column file_a and no column file_b and no column same"),
        (("--identities", "good", "--group-by", "age"), "no column 'age' to group by: the manifest has file"),
        (("--identities", "good", "--corrections", "none.toml"), "none.toml cannot be read"),
        (
            ("--identities", "absolute"),
            "manifest.csv, line 2: the file '/etc/passwd' does not lie in the folder",
        ),
        (("--identities", "outside"), "manifest.csv, line 2: the file '../a.jpg' does not lie in the folder"),
        (("--identities", "good", "--out", "good/a.jpg"), "the folder good/a.jpg cannot be created: "),
        (("--identities", "good", "--pack", "nobody"), "no pack is named 'nobody'"),
    ],
)
def test_an_error_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    people(tmp_path / "good", "a.jpg,ann,f", "b.jpg,bob,m")
    for folder, name in (("absolute", "/etc/passwd"), ("outside", "../a.jpg")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "manifest.csv").write_text(f"file,identity\n{name},ann\n")
    status, output, errors = evaluate(*arguments)
    assert status == 2
    assert output == ""
    assert said in errors
    assert len(errors.splitlines()) == 1


def test_one_person_only_is_too_few(assets: Path, tmp_path: Path) -> None:
    faces = small_set(
        assets / "data" / "faces", tmp_path / "faces", prefixes=("justadudewhoha__examples__images__amy",)
    )
    status, _, errors = evaluate("--identities", faces, "--pack", f"insightface:{assets / 'models'}")
    assert status == 2
    assert "no two persons of one group can be compared: at least two are needed" in errors


def test_without_the_extra_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    faces = people(tmp_path / "faces", "a.jpg,ann,f", "b.jpg,bob,m")
    out = tmp_path / "out"
    status, _, errors = evaluate("--identities", faces, "--pack", "embedded", "--out", out)
    assert status == 2
    assert "needs the extra evaluation" in errors
    assert not out.exists()
    status, _, errors = evaluate("--identities", faces, "--calibration", tmp_path / "calibration.toml")
    assert status == 2
    assert "needs the extra evaluation" in errors


def test_photos_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_command, "load_packs", lambda specs: (pack_of("ab" * 32),))
    rows = [f"{number}.jpg,ann,f" for number in range(5)]
    status, _, errors = evaluate("--identities", people(tmp_path / "faces", *rows), "--pack", "embedded")
    assert status == 2
    assert "5 files cannot be read as images: 0.jpg, 1.jpg, 2.jpg and 2 more" in errors


def test_a_promise_that_is_broken_in_a_group_is_an_exit_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = made_report()
    first, *others = report.packs
    broken = GroupPromise(0.01, FmrAt(0.3, 0.2, 0.3, 0.1, None), Promise.BROKEN)
    group = replace(first.groups[0], promises=(broken,))
    found = replace(report, packs=(replace(first, groups=(group, *first.groups[1:])), *others))
    folder = people(tmp_path / "good", "a.jpg,ann,f", "b.jpg,bob,m")
    monkeypatch.setattr(evaluate_command, "load_packs", lambda specs: ())
    monkeypatch.setattr(evaluate_command, "measure_packs", lambda *_, **__: found)
    status, said, _ = evaluate("--identities", folder, "--group-by", "sex")
    assert status == 1
    assert "Broken: sex <f> (max_fmr 0.01: 2.0e-1)." in " ".join(plain(said).split())
    evaluate("--identities", folder, "--group-by", "sex", "--out", tmp_path / "report")
    for name in ("report.md", "report.html"):
        start, _, _ = (tmp_path / "report" / name).read_text().partition("Photos to templates")
        assert "promise is broken in a group. Broken: sex " in start
    monkeypatch.setattr(evaluate_command, "measure_packs", lambda *_, **__: made_report(persons=40))
    assert evaluate("--identities", folder)[0] == 0


def test_portraits_need_two_photos_of_somebody(tmp_path: Path) -> None:
    folder = people(tmp_path / "good", "a.jpg,ann,f", "b.jpg,bob,m")
    status, _, said = evaluate("--identities", folder, "--portraits", "grey")
    assert status == 2
    assert "--portraits needs persons with two photos" in said


def test_photos_and_pairs_exclude_each_other(tmp_path: Path) -> None:
    folder = people(tmp_path / "good", "a.jpg,ann,f")
    status, _, said = evaluate("--identities", folder, "--pairs", tmp_path / "pairs.csv")
    assert status == 2
    assert "both were given: give either --identities DIR or --pairs FILE" in said

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from lab import evaluate as evaluate_command
from lab.evaluate import app
from lab.evaluation.match.groups import GroupPromise
from lab.evaluation.match.operating_points import FmrAt, Promise
from lab.evaluation.pad.dataset import read_dataset
from lab.tests.evaluation.match.reports import made_report, pack_of
from lab.tests.evaluation.samples import plain, small_set
from vision.packs.pack import read_operator_calibration


def _run(kind: str, *arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    result = CliRunner().invoke(app, [kind, *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, plain(result.stderr)


evaluate, evaluate_pad = partial(_run, "match"), partial(_run, "pad")


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
        (("--pairs", "good/manifest.csv"), "has no column file_a and no column file_b and no column same"),
        (("--identities", "good", "--group-by", "age"), "no column 'age' to group by: the manifest has file"),
        (("--identities", "good", "--corrections", "none.toml"), "none.toml cannot be read"),
        (("--identities", "good", "--out", "good/a.jpg"), "the folder good/a.jpg cannot be created: "),
        (("--identities", "good", "--calibration", "none/out.toml"), "does not exist"),
        (("--identities", "good", "--calibration", "good"), "is a folder"),
        (("--identities", "good", "--portraits", "grey"), "--portraits needs persons with two photos"),
        (("--identities", "good", "--pack", "nobody"), "no pack is named 'nobody'"),
    ],
)
def test_an_error_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    people(tmp_path / "good", "a.jpg,ann,f", "b.jpg,bob,m")
    status, output, errors = evaluate(*arguments)
    assert status == 2
    assert output == ""
    assert said in errors
    assert len(errors.splitlines()) == 1


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


def test_packs_of_different_embedders_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        evaluate_command, "load_packs", lambda specs: (pack_of("ab" * 32), pack_of("cd" * 32))
    )
    folder, out = people(tmp_path / "good", "a.jpg,ann,f", "b.jpg,bob,m"), tmp_path / "out.toml"
    status, _, errors = evaluate("--identities", folder, "--calibration", out)
    assert status == 2
    assert "different embedders" in errors
    assert not out.exists()


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


def test_a_small_set_is_measured_and_supports_little(assets: Path, tmp_path: Path) -> None:
    faces = small_set(
        assets / "data" / "faces", tmp_path / "faces", prefixes=("nyoki-mtl", "cmusatyalab", "ageitgey")
    )
    out = tmp_path / "calibration.toml"
    pack = f"insightface:{assets / 'models'}"
    arguments = ("--pack", pack, "--identities", faces, "--calibration", out)
    status, said, errors = evaluate(*arguments)
    assert status == 0, errors
    assert "not supported by these data (needs about" in plain(said)
    assert str(out) in plain(said) + errors
    # The server reads this.
    calibration = read_operator_calibration(out)
    assert calibration.provenance == "measured_by_operator"
    record = calibration.record
    assert record.provenance == "measured"
    assert 8 <= record.identities <= 13
    pairs_of_persons = record.identities * (record.identities - 1) / 2
    assert calibration.lowest_bound >= 2.9 / pairs_of_persons
    assert str(tmp_path) not in out.read_text(encoding="utf-8")
    assert record.command.startswith("facegate evaluate match --identities DIR --pack insightface:DIR ")
    # A file is never replaced.
    before = out.read_bytes()
    status, _, errors = evaluate(*arguments)
    assert (status, "remove it first" in errors) == (2, True)
    assert out.read_bytes() == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["calibration.toml", "faces"]


def some(assets: Path, folder: Path, *, each: int) -> Path:
    """Some real images of each kind of the largest source and of another, as folders."""
    found = read_dataset(assets / "data" / "pad")
    for source in ("feni", "Apfol"):
        for name, species in (("live", ""), ("spoof/print", "print"), ("spoof/screen", "screen")):
            of = [
                sample for sample in found if sample.source.startswith(source) and sample.species == species
            ]
            target = folder / name
            target.mkdir(parents=True, exist_ok=True)
            for at in np.linspace(0, len(of) - 1, min(each, len(of))).astype(int):
                (target / of[at].path.name).symlink_to(of[at].path.resolve())
    return folder


def test_real_pictures_with_a_report(assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setenv("COLUMNS", "120")
    folder, out = some(assets, tmp_path / "set", each=4), tmp_path / "report" / "new"
    status, said, progress = evaluate_pad(
        *("--dataset", folder, "--pack", f"open:{assets / 'models'}", "--scorer", "network"),
        *("--out", out),
    )
    assert status == 0, progress
    output = plain(said)
    assert "3-D mask 0, not evaluated" in output
    assert "attacks allow no APCER below" in output
    assert "facegate evaluate pad --dataset set --pack open:DIR --scorer network" in output
    assert str(assets) not in output
    assert f"The report is {out / 'report.html'}." in progress
    assert sorted(file.name for file in out.iterdir()) == [
        "det_open-DIR_pictures.png",
        "mistakes_open-DIR_pictures.jpg",
        "report.html",
        "report.json",
        "report.md",
        "scores_open-DIR_pictures.png",
    ]
    scorers = json.loads((out / "report.json").read_text())["packs"][0]["sets"][0]["scorers"]
    names = [scorer["scorer"]["name"] for scorer in scorers]
    assert names == ["minifas_v2se", "minifasnet_v1se", "minifasnet_v2"]
    scorer = scorers[0]
    assert {each["species"]: each["presentations"] for each in scorer["species"]} == {"print": 4, "screen": 8}
    assert not any(point["supported"] for point in scorer["points"])
    assert cv2.imread(str(out / "mistakes_open-DIR_pictures.jpg")) is not None
    assert (out / "report.html").read_text().count("feni") == 0


@pytest.mark.slow
def test_pictures_and_clips_with_everything(assets: Path, tmp_path: Path) -> None:
    folder = some(assets, tmp_path / "set", each=3)
    clips = tmp_path / "clips"
    for kind in ("live", "spoof"):
        (clips / kind).mkdir(parents=True)
        clip = next((assets / "data" / "video" / kind).glob("lestari15*"))
        (clips / kind / clip.name).symlink_to(clip.resolve())
    status, said, progress = evaluate_pad(
        *("--dataset", folder, "--dataset", clips, "--pack", f"open:{assets / 'models'}"),
        *("--weights", assets / "models" / "2.7_80x80_MiniFASNetV2.pth", "--json"),
    )
    assert status == 0, progress
    pictures, videos = json.loads(said)["packs"][0]["sets"]
    assert [scorer["scorer"]["name"] for scorer in pictures["scorers"]] == [
        "minifas_v2se",
        "minifasnet_v1se",
        "minifasnet_v2",
        "eight signals",
        "cues of one frame",
        "fusion, one frame",
    ]
    assert [scorer["scorer"]["name"] for scorer in videos["scorers"]][-2:] == ["temporal cues", "fusion"]
    assert videos["material"]["files"] == 2
    assert videos["scorers"][-1]["bona_fide"] >= 1


def test_a_set_that_cannot_be_measured_is_reported_in_one_line(tmp_path: Path, assets: Path) -> None:
    pack = f"open:{assets / 'models'}"
    (tmp_path / "live").mkdir()
    (tmp_path / "live" / "1.jpg").write_bytes(b"")
    for arguments, why in (
        (("--dataset", tmp_path / "none"), "does not exist"),
        (("--dataset", tmp_path), "both bona fide presentations and attacks are required"),
        (("--dataset", tmp_path, "--scorer", "magic"), "there is no scorer 'magic'"),
        (("--dataset", tmp_path, "--weights", tmp_path / "x.pth"), "named after none of"),
        (("--dataset", tmp_path, "--pack", "open:/nowhere"), "/nowhere"),
    ):
        status, said, output = evaluate_pad(*arguments, *(() if "--pack" in arguments else ("--pack", pack)))
        assert status == 2, output
        assert said == ""
        assert why in output
        assert "Traceback" not in output


def test_a_scorer_that_the_files_have_nothing_for(tmp_path: Path, assets: Path) -> None:
    for name in ("live/1.jpg", "spoof/print/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"")
    status, _, output = evaluate_pad(
        "--dataset", tmp_path, "--scorer", "temporal", "--pack", f"open:{assets / 'models'}"
    )
    assert status == 2
    assert "no chosen scorer can judge" in output


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    status, _, output = evaluate_pad("--dataset", tmp_path, "--out", tmp_path / "file" / "report")
    assert status == 2
    assert "is a file" in output
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, output = evaluate_pad("--dataset", tmp_path, "--out", tmp_path / "report")
    assert status == 2
    assert "needs the extra evaluation" in output


def test_unusable_files_are_left_out_unless_they_are_asked_for(tmp_path: Path, assets: Path) -> None:
    rows = "a.jpg,live,,0\nb.jpg,live,,1\nc.jpg,spoof,print,1\n"
    (tmp_path / "manifest.csv").write_text("file,label,species,usable\n" + rows, encoding="utf-8")
    counts = []
    for more in ((), ("--with-unusable",)):
        status, said, output = evaluate_pad(
            *("--dataset", tmp_path, "--scorer", "network", "--pack", f"open:{assets / 'models'}"),
            *("--json", *more),
        )
        assert status == 0, output
        found = json.loads(said)["packs"][0]["sets"][0]
        counts.append((found["material"]["files"], found["material"]["left_out"]))
        assert found["scorers"][0]["auc"]["pooled"] is None
        assert sum(found["scorers"][0]["no_response"].values()) == found["material"]["files"]
    assert counts == [(2, 1), (3, 0)]

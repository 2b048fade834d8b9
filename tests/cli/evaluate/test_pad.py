import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from cli.evaluate import app
from evaluation.pad.dataset import read_dataset
from tests.evaluation.samples import plain


def evaluate(*arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error."""
    result = CliRunner().invoke(app, ["pad", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, plain(result.stderr)


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
    status, said, progress = evaluate(
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
    status, said, progress = evaluate(
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
        status, said, output = evaluate(*arguments, *(() if "--pack" in arguments else ("--pack", pack)))
        assert status == 2, output
        assert said == ""
        assert why in output
        assert "Traceback" not in output


def test_a_scorer_that_the_files_have_nothing_for(tmp_path: Path, assets: Path) -> None:
    for name in ("live/1.jpg", "spoof/print/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(b"")
    status, _, output = evaluate(
        "--dataset", tmp_path, "--scorer", "temporal", "--pack", f"open:{assets / 'models'}"
    )
    assert status == 2
    assert "no chosen scorer can judge" in output


def test_a_folder_that_cannot_be_written_to_is_found_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    status, _, output = evaluate("--dataset", tmp_path, "--out", tmp_path / "file" / "report")
    assert status == 2
    assert "is a file" in output
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, _, output = evaluate("--dataset", tmp_path, "--out", tmp_path / "report")
    assert status == 2
    assert "needs the extra evaluation" in output


def test_unusable_files_are_left_out_unless_they_are_asked_for(tmp_path: Path, assets: Path) -> None:
    rows = "a.jpg,live,,0\nb.jpg,live,,1\nc.jpg,spoof,print,1\n"
    (tmp_path / "manifest.csv").write_text("file,label,species,usable\n" + rows, encoding="utf-8")
    counts = []
    for more in ((), ("--with-unusable",)):
        status, said, output = evaluate(
            *("--dataset", tmp_path, "--scorer", "network", "--pack", f"open:{assets / 'models'}"),
            *("--json", *more),
        )
        assert status == 0, output
        found = json.loads(said)["packs"][0]["sets"][0]
        counts.append((found["material"]["files"], found["material"]["left_out"]))
        assert found["scorers"][0]["auc"]["pooled"] is None
        assert sum(found["scorers"][0]["no_response"].values()) == found["material"]["files"]
    assert counts == [(2, 1), (3, 0)]

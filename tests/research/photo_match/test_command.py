"""The command, from photos to tables."""

from pathlib import Path

import numpy as np
import pytest

from research.photo_match.__main__ import main
from research.photo_match.scores import TemplateSet, read_templates, write_templates
from tests.research.parts import part_of
from tests.research.photo_match.drawn import GROUPS
from vision.packs.calibration import parse_calibration


@pytest.fixture
def drawn(templates: TemplateSet, tmp_path: Path) -> Path:
    path = tmp_path / "drawn"
    write_templates(templates, path)
    return path


def _listed(folder: Path, *, most: int) -> list[str]:
    lines = (folder / "manifest.csv").read_text("utf-8").splitlines()
    return [line.partition(",")[0] for line in lines[1 : most + 1]]


def test_templates_are_kept_for_their_owner_alone(drawn: Path, templates: TemplateSet) -> None:
    assert [file.name for file in drawn.parent.iterdir()] == ["drawn"]
    assert drawn.stat().st_mode & 0o077 == 0
    assert np.array_equal(read_templates(drawn).vectors, templates.vectors)


def test_photos_become_templates_with_their_labels(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("faces_lfw", "faces_groups"):
        folder = assets / "data" / name
        part_of(folder, tmp_path / "data" / name, _listed(folder, most=4))
    out, pack = tmp_path / "templates", f"open:{assets / 'models'}"
    assert main(["embed", "--data", str(tmp_path / "data"), "--pack", pack, "--out", str(out)]) == 0
    assert capsys.readouterr().out == "8 templates, 0 failures to acquire\n"
    made = read_templates(out)
    assert made.vectors.shape == (8, 128)
    assert np.linalg.norm(made.vectors, axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    assert list(made.sources) == ["lfw"] * 4 + ["ff"] * 4
    assert not any(made.groups[:4])
    assert all(made.groups[4:])


def test_a_calibration_has_the_form_of_its_pack(assets: Path, drawn: Path) -> None:
    out, pack = drawn.parent / "made.toml", f"open:{assets / 'models'}"
    options = ["--cohort", "--form", pack, "--resamples", "100", "--out", str(out)]
    assert main(["calibrate", str(drawn), *options]) == 0
    made = parse_calibration(out.read_text("utf-8"), source="made")
    assert made.template.startswith("mobilefacenet_foamliu/")
    assert made.cohort is not None
    assert (made.cohort.persons, made.record.identities, made.record.genuine_pairs) == (120, 120, 60)
    assert made.record.failures_to_acquire == 2
    # 120 people have 7140 pairs, which support no bound below 3/7140.
    assert 2.99 / 7140 < made.lowest_bound < 1e-3


def test_the_report_has_a_row_for_each_group_and_policy(
    assets: Path, drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, pack = drawn.parent / "made.toml", f"open:{assets / 'models'}"
    main(["calibrate", str(drawn), "--form", pack, "--resamples", "100", "--out", str(out)])
    assert main(["report", str(drawn), "--calibration", str(out), "--resamples", "100"]) == 0
    output = capsys.readouterr().out
    assert all(group in output for group in (*GROUPS, "the groups pooled", "female"))
    assert "not supported by data" in output
    assert "Shipped thresholds" in output


def test_people_are_left_out(drawn: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["left-out", str(drawn), "--cohort", "--folds", "3", "--resamples", "100"]) == 0
    output = capsys.readouterr().out
    assert "drawn: people left out, 3 folds" in output
    assert "120; genuine 60" in output

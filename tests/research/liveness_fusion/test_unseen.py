"""Persons are left out of the fit that judges them."""

from pathlib import Path

import numpy as np
import pytest

from research.liveness_fusion.rows import Row, RowKind, write_rows
from research.liveness_fusion.unseen import folds_of, main
from tests.evaluation.pad.samples import live

_NETWORKS = ("minifas_v2se", "minifasnet_v2")


def test_a_small_source_is_left_out_whole_and_a_large_one_by_persons() -> None:
    persons = [f"p{number % 7}" for number in range(40)]
    large = [live(number, source="large", person=person) for number, person in enumerate(persons)]
    small = [live(number, source="small", person=f"q{number}") for number in range(2)]
    folds = folds_of([*large, *small])
    assert folds[-2:] == ["small", "small"]
    assert len(set(folds[:40])) == 5
    for person in set(persons):
        assert len({fold for fold, name in zip(folds[:40], persons, strict=True) if name == person}) == 1


def _written(folder: Path, *, separated_by: str) -> tuple[Path, Path]:
    """Images of six sources, separated by the network or by a cue."""
    rng = np.random.default_rng(2)
    rows, lines = [], ["file,label,attack_type,source_repo,usable,identity"]
    for number in range(120):
        genuine = number % 2 == 0
        toward = 0.85 if genuine else 0.15
        (network, gamut) = (toward, 0.5) if separated_by == "network" else (0.5, toward)
        around = [float(np.clip(rng.normal(middle, 0.1), 0.02, 0.98)) for middle in (network, gamut)]
        name, source, species = (
            f"{number}.jpg",
            f"Silent-Face-Anti-Spoofing/{number % 6}",
            "" if genuine else "screen",
        )
        rows.append(
            Row(
                RowKind.PICTURE,
                name,
                source,
                species,
                genuine,
                {"colour_gamut": around[1]},
                dict.fromkeys(_NETWORKS, around[0]),
            )
        )
        moves = {"planar_motion": toward, "colour_gamut": 0.5}
        rows.append(
            Row(RowKind.CLIP, f"c{number}", source, species, genuine, moves, dict.fromkeys(_NETWORKS, 0.5))
        )
        (folder / name).write_bytes(b"")
        label = "live" if genuine else "spoof"
        lines.append(f"{name},{label},{species},{source},1,person{number}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    write_rows(folder / "rows", rows)
    return folder / "rows", folder


@pytest.mark.parametrize("separated_by", ["network", "cue"])
def test_the_command_reports_the_part_that_decides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, separated_by: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows, dataset = _written(tmp_path, separated_by=separated_by)
    assert main([str(rows), "--dataset", str(dataset), "--resamples", "50"]) == 0
    shown = f"\n{capsys.readouterr().out}"
    for networks in (*_NETWORKS, " + ".join(_NETWORKS)):
        _, below = shown.split(f"\n{networks}: 60 bona fide, 60 attacks", maxsplit=1)
        table, *_ = below.split("bona fide", maxsplit=1)
        areas = {
            line.split("│")[1].strip(): float(line.split("│")[2].split()[0])
            for line in table.splitlines()
            if line.startswith("│")
        }
        better, worse = sorted(("networks", "cues of one frame"), reverse=separated_by == "network")
        assert areas[better] > 0.95
        assert areas[worse] < 0.7
        assert areas["fusion"] > 0.9


def test_rows_of_other_pictures_and_no_rows_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, dataset = _written(tmp_path, separated_by="cue")
    write_rows(rows, [Row(RowKind.PICTURE, "other.jpg", "s", "", True, {}, {_NETWORKS[0]: 0.5})])
    assert main([str(rows), "--dataset", str(dataset)]) == 2
    assert "no row is of a picture" in capsys.readouterr().err
    assert main([str(tmp_path / "absent"), "--dataset", str(dataset)]) == 2

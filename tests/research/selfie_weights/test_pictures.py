from pathlib import Path

import numpy as np
import pytest

from liveness.selfie import SIGNAL_NAMES
from research.selfie_weights import groups_of, score_pictures
from vision.packs import Pack


def test_every_usable_picture_with_a_face_is_scored(assets_folder: Path, known_pack: Pack) -> None:
    found = score_pictures(known_pack, assets_folder / "data" / "pad")
    assert found.scores.shape == (11, 8)
    assert found.without_face == (1, 0)
    assert (int(found.live.sum()), int(found.screen.sum()), int(found.largest.sum())) == (5, 3, 9)
    sharpness = found.scores[:, SIGNAL_NAMES.index("sharpness")]
    assert sharpness[found.live].min() > 0.8
    assert sharpness[~found.live & ~found.screen].max() < 0.3


def test_the_largest_source_falls_into_halves_of_both_kinds(assets_folder: Path, known_pack: Pack) -> None:
    found = score_pictures(known_pack, assets_folder / "data" / "pad")
    assert set(found.folds) == {"large/one, half 1", "large/one, half 2", "small/two"}
    for half in (1, 2):
        kinds = found.live[found.folds == f"large/one, half {half}"]
        assert kinds.any()
        assert not kinds.all()


def test_groups_hold_live_pictures_against_one_kind_of_attack(assets_folder: Path, known_pack: Pack) -> None:
    found = score_pictures(known_pack, assets_folder / "data" / "pad")
    prints, screens, others = groups_of(found)
    assert [(group.live.size, group.attacks.size) for group in (prints, screens, others)] == [
        (4, 3),
        (4, 2),
        (1, 1),
    ]
    assert not found.screen[prints.attacks].any()
    assert found.screen[screens.attacks].all()
    (only,) = groups_of(found, ~found.largest)
    np.testing.assert_array_equal(only.live, others.live)


def test_without_a_manifest_or_a_face_nothing_is_scored(tmp_path: Path, known_pack: Pack) -> None:
    with pytest.raises(OSError, match="manifest"):
        score_pictures(known_pack, tmp_path)
    (tmp_path / "manifest.csv").write_text("file,source_repo,label,attack_type,usable\n")
    with pytest.raises(ValueError, match="no usable picture"):
        score_pictures(known_pack, tmp_path)

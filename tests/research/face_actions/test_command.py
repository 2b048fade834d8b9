from pathlib import Path

import pytest

from research.face_actions.__main__ import main
from research.face_actions.actions import Action
from research.face_actions.scans import Shown
from tests.research.parts import SHORT_CLIPS, part_of, small_assets


@pytest.mark.timeout(300)
def test_a_drawn_mouth_stands_out_from_a_rigid_mask(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = small_assets(assets, tmp_path / "assets", clips=list(SHORT_CLIPS[:1]))
    part_of(assets / "data/video", made / "data/video_more", list(SHORT_CLIPS[1:]))
    main(made, f"open:{made / 'models'}", 1)
    printed = capsys.readouterr().out
    for action in Action:
        assert f"\n{action}: line " in printed
    mouth = printed.split(f"\n{Action.OPEN_MOUTH}: line ")[1].split(f"\n{Action.DROP_JAW}: ")[0]
    assert f"video, {Shown.MASK}: 0 done, 1 not done, 0 not visible" in mouth
    assert f"video_more, {Shown.LIVE_OPENING}: 1 done, 0 not done, 0 not visible" in mouth

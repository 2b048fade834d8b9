from pathlib import Path

import pytest

from research.temporal_cues import scans
from research.temporal_cues.__main__ import main
from simulator.scene import ScanKind
from tests.research.parts import SHORT_CLIPS, small_assets, some_photos


@pytest.mark.timeout(300)
def test_every_cue_is_counted_for_every_species(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = some_photos(assets / "data/faces", people=1, each=1)
    made = small_assets(assets, tmp_path / "assets", photos=photos, clips=list(SHORT_CLIPS[:1]))
    monkeypatch.setattr(scans, "builtin_photo_names", lambda: ("astronaut",))
    monkeypatch.setattr(scans, "_SIMULATED", (ScanKind.SCREEN_REPLAY,))
    monkeypatch.setattr(scans, "_PHOTOS", 0)
    main(made, f"open:{made / 'models'}")
    printed = capsys.readouterr().out
    for cue in ("pose_consistency", "frozen_frames", "planar_motion", "micro_motion", "blink", "stillness"):
        assert f"\n{cue}\n" in printed
    for species in (
        "live",
        "photo sheet",
        "paper mask",
        "simulated screen-replay",
        "looped, 40 %",
        "live, as stored",
    ):
        assert f"\n  {species} " in printed

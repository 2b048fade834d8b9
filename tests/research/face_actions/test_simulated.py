from pathlib import Path

import pytest

from research.face_actions.simulated import main
from simulator import FlashKind
from tests.research.parts import small_assets, some_photos


@pytest.mark.timeout(300)
def test_living_lips_open_and_a_mask_does_not(
    assets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = some_photos(assets / "data/faces", people=3, each=1)
    main(small_assets(assets, tmp_path / "assets", photos=photos), f"open:{assets / 'models'}", 1)
    head, person, least, _, most = capsys.readouterr().out.splitlines()
    kinds = head.split(" | ")[1:]
    found = dict(zip(kinds, map(float, person.split(" | ")[1:]), strict=True))
    assert found[FlashKind.GENUINE] > 1.5
    assert found[FlashKind.MASK_WITH_EYES_AND_MOUTH] > 0.5
    assert max(found[kind] for kind in (FlashKind.MASK_WITH_EYES, FlashKind.RIGID_MASK)) < 0.4
    assert least.split(" | ")[1:] == most.split(" | ")[1:] == person.split(" | ")[1:]

from pathlib import Path

import pytest

from cli.bench.portraits import _measure, two_megabytes
from formats.image_header import parse_header
from simulator import builtin_photos
from vision.errors import PackNotFound


def test_a_pulled_pack_is_sought_in_the_models_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FACEGATE_MODELS_DIR", str(tmp_path))
    with pytest.raises(PackNotFound, match=str(tmp_path)):
        _measure("open", 1)


@pytest.mark.slow
def test_the_portrait_is_as_large_as_an_upload_may_be() -> None:
    data = two_megabytes(builtin_photos(names=("astronaut",))["astronaut"].pixels)
    assert 1_800_000 <= len(data) <= 2_000_000
    assert parse_header(data).pixels == 2400 * 2400

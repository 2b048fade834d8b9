"""One door to every pack."""

from pathlib import Path

import pytest

from vision.errors import PackNotFound
from vision.packs import load_pack
from vision.packs.pack import Pack


def test_a_folder(assets: Path, insightface_pack: Pack) -> None:
    assert load_pack(f"insightface:{assets / 'models'}").version == insightface_pack.version


def test_the_home_folder(assets: Path, insightface_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(assets))
    assert load_pack("insightface:~/models").version == insightface_pack.version


def test_embedded(embedded_pack: Pack) -> None:
    assert load_pack("embedded").version == embedded_pack.version


@pytest.mark.parametrize("spec", ["", "insightface", "insightface:", "open", "embedded "])
def test_what_names_no_pack_is_refused_with_the_names_there_are(spec: str) -> None:
    with pytest.raises(PackNotFound, match="insightface:<folder>") as caught:
        load_pack(spec)
    assert "embedded" in str(caught.value)

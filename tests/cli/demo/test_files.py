import json
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from cli.demo.files import make_folder, write_files
from cli.errors import OutputUnusable
from facegate_client import load_key_set
from tests.cli.demo.builders import CHECK_ID, JPEG, judged, refused

KEYS = load_key_set({"keys": [ECKey.generate_key("P-256", parameters={"kid": "a"}).as_dict(private=True)]})


def test_everything_lies_beside_the_page(tmp_path: Path) -> None:
    page = write_files(tmp_path, records=(judged("same-person"),), page="<p>ä", keys=KEYS)
    assert page == tmp_path / "index.html"
    assert page.read_text(encoding="utf-8") == "<p>ä"
    folder = tmp_path / "same-person"
    assert sorted(path.name for path in folder.iterdir()) == [
        "evidence.jpg",
        "portrait.jpg",
        "result.json",
        "result.jws",
    ]
    assert (folder / "evidence.jpg").read_bytes() == JPEG
    assert json.loads((folder / "result.json").read_text())["check_id"] == CHECK_ID


def test_a_flash_leaves_its_strip(tmp_path: Path) -> None:
    write_files(tmp_path, records=(judged("flash-rigid-mask"),), page="", keys=KEYS)
    strip = (tmp_path / "flash-rigid-mask" / "strip.svg").read_text()
    assert strip.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "A rigid mask" in strip


def test_only_public_keys_are_written(tmp_path: Path) -> None:
    write_files(tmp_path, records=(), page="", keys=KEYS)
    (key,) = json.loads((tmp_path / "jwks.json").read_text())["keys"]
    assert {"kty", "crv", "x", "y", "kid"} <= set(key)
    assert "d" not in key


def test_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    stale = tmp_path / "eyes-too-close"
    stale.mkdir()
    (stale / "evidence.jpg").write_bytes(b"old")
    write_files(tmp_path, records=(refused("EYE_DISTANCE_TOO_SMALL"),), page="", keys=KEYS)
    assert [path.name for path in stale.iterdir()] == ["portrait.jpg"]


def test_a_folder_that_cannot_be_used_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnusable):
        make_folder(tmp_path / "file")
    with pytest.raises(OutputUnusable):
        make_folder(tmp_path / "file" / "below")
    with pytest.raises(OutputUnusable):
        write_files(tmp_path / "missing", records=(), page="", keys=KEYS)

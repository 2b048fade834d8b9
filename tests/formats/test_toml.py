"""TOML as editors of other systems save it."""

import codecs
from pathlib import Path

import pytest

from formats.errors import TomlMalformed
from formats.toml import read_toml

_TEXT = 'name = "Zoë"\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_text(encoding: str) -> None:
    assert read_toml(_TEXT.encode(encoding)) == {"name": "Zoë"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_TEXT.encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + _TEXT.encode("utf-16-be"), "UTF-16"),
        (_TEXT.encode("latin-1"), "not UTF-8 at byte 10"),
        (codecs.BOM_UTF8 * 2 + _TEXT.encode(), "not TOML"),
        (b"a =", "not TOML"),
        (b"a = " + b"1" * 5000, "not TOML"),
        (b"a = " + b"[" * 100_000, "not TOML"),
    ],
)
def test_what_is_no_toml_is_refused_by_name(content: bytes, said: str) -> None:
    with pytest.raises(TomlMalformed, match=said):
        read_toml(content)


@pytest.mark.parametrize("name", ["api_keys", "policy", "settings"])
def test_files_behind_public_bug_reports_are_read(name: str, assets: Path) -> None:
    file = assets / "data" / "reported" / "round2" / "config" / f"{name}_with_bom.toml"
    if not file.is_file():
        pytest.skip(f"no reported files: {file} is absent")
    assert read_toml(file.read_bytes())

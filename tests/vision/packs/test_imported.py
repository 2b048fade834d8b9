"""Embedders of the operator's own: what a folder's ``models.toml`` may add."""

from pathlib import Path

import pytest

from vision.errors import PackDataInvalid
from vision.packs.catalogue import MODELS_FILE, load_catalogue, with_imported

_MODEL = """schema = 3
[[model]]
names = ["mine.onnx"]
sha256 = "{sha256}"
role = "{role}"
kind = "{kind}"
rank = 100
evaluation_only = false
restricts_use = true
source = "me"
weights = "Mine."
training_data = "Mine."
mean = [127.5, 127.5, 127.5]
std = [127.5, 127.5, 127.5]
mirror_average = true
"""


def _write(folder: Path, *, sha256: str = "ab" * 32, role: str = "embedder", kind: str = "arcface") -> None:
    (folder / MODELS_FILE).write_text(_MODEL.format(sha256=sha256, role=role, kind=kind), encoding="utf-8")


def test_a_folder_without_the_file_has_the_packaged_models(tmp_path: Path) -> None:
    assert with_imported(load_catalogue(), tmp_path) is load_catalogue()


def test_an_embedder_is_added_and_known_by_its_hash(tmp_path: Path) -> None:
    _write(tmp_path)
    entry = with_imported(load_catalogue(), tmp_path).by_hash("ab" * 32)
    assert entry is not None
    assert entry.imported
    assert entry.embedder is not None
    assert entry.embedder.mirror_average
    assert not any(one.imported for one in load_catalogue().entries)


def test_only_embedders_are_added(tmp_path: Path) -> None:
    _write(tmp_path, role="pad")
    with pytest.raises(PackDataInvalid, match="only add embedders"):
        with_imported(load_catalogue(), tmp_path)
    _write(tmp_path, kind="yunet")
    with pytest.raises(PackDataInvalid, match="only add embedders"):
        with_imported(load_catalogue(), tmp_path)


def test_a_model_of_the_catalogue_cannot_be_described_anew(tmp_path: Path) -> None:
    known = load_catalogue().by_name("mobilefacenet_foamliu.onnx")
    assert known is not None
    _write(tmp_path, sha256=known.sha256)
    with pytest.raises(PackDataInvalid, match="share a hash"):
        with_imported(load_catalogue(), tmp_path)


@pytest.mark.parametrize("content", [b"\xff", b"schema = 1", b"x" * 70_000, b"[[model"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MODELS_FILE).write_bytes(content)
    with pytest.raises(PackDataInvalid):
        with_imported(load_catalogue(), tmp_path)

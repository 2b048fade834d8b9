"""The packaged catalogue, and catalogues that break the schema."""

import pytest

from vision.errors import PackDataInvalid
from vision.packs.catalogue import load_catalogue, parse_catalogue

ENTRY = """
[[model]]
names = ["pad.onnx"]
sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
role = "pad"
kind = "pad_classifier"
name = "pad"
rank = 1
evaluation_only = false
source = "a test"
weights = "MIT"
training_data = "none"
crop = "reflect"
crop_scale = 1.5
size = 128
colour = "RGB"
divide_by = 255.0
real_class = 0
"""


def test_the_packaged_catalogue_states_what_the_loaders_need() -> None:
    catalogue = load_catalogue()
    assert {entry.role for entry in catalogue.entries} == {"detector", "landmarks", "embedder", "pad"}
    for entry in catalogue.entries:
        assert (entry.pad is not None) == (entry.role == "pad")
        assert (entry.embedder is not None) == (entry.kind == "arcface")
        assert entry.terms.weights
        assert entry.terms.training_data
        assert catalogue.by_hash(entry.sha256) is entry
        assert all(catalogue.by_name(name) is entry for name in entry.names)


def test_unknown_files() -> None:
    catalogue = load_catalogue()
    assert catalogue.by_hash("0" * 64) is None
    assert catalogue.by_name("genderage.onnx") is None
    with pytest.raises(PackDataInvalid):
        catalogue.only("arcface")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('["pad.onnx"]', "[]"),
        ('"cdcd', '"XYcd'),
        ('role = "pad"', 'role = "mouth"'),
        ("rank = 1", "rank = true"),
        ("rank = 1", ""),
        ("evaluation_only = false", "evaluation_only = 0"),
        ('crop = "reflect"', 'crop = "stretched"'),
        ("crop_scale = 1.5", "crop_scale = -1.5"),
        ("size = 128", "size = 0"),
        ("size = 128", "size = 128.0"),
        ('"RGB"', '"GBR"'),
        ("divide_by = 255.0", "divide_by = nan"),
    ],
)
def test_what_breaks_the_schema_is_refused(old: str, new: str) -> None:
    assert old in ENTRY
    assert parse_catalogue("schema = 1" + ENTRY).entries[0].name == "pad"
    with pytest.raises(PackDataInvalid):
        parse_catalogue("schema = 1" + ENTRY.replace(old, new))


@pytest.mark.parametrize("text", ["", "schema = 2", "schema =", "schema = 1", "schema = 1" + ENTRY + ENTRY])
def test_what_is_no_catalogue_is_refused(text: str) -> None:
    with pytest.raises(PackDataInvalid):
        parse_catalogue(text)


@pytest.mark.parametrize("numbers", ["[1.0, 1.0]", "[1.0, 1.0, 0.0]", "1.0"])
def test_deviations_must_be_three_and_not_zero(numbers: str) -> None:
    entry = ENTRY.replace('"pad"', '"embedder"').replace("pad_classifier", "arcface")
    with pytest.raises(PackDataInvalid):
        parse_catalogue(f"schema = 1{entry}mean = [0.0, 0.0, 0.0]\nstd = {numbers}\n")

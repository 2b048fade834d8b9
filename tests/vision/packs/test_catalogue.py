"""The packaged catalogue, and catalogues that break the schema."""

from pathlib import Path

import pytest

from vision.errors import PackDataInvalid
from vision.packs.calibration import load_calibration
from vision.packs.catalogue import MODELS_FILE, load_catalogue, parse_catalogue, with_imported
from vision.packs.pack_files import FAMILIES, read_file

ENTRY = """
[[model]]
names = ["pad.onnx"]
sha256 = "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
role = "pad"
kind = "pad_classifier"
name = "pad"
rank = 1
evaluation_only = false
restricts_use = false
url = "https://example.org/pad.onnx"
size = 1000
source = "a test"
weights = "MIT"
training_data = "none"
crop = "reflect"
crop_scale = 1.5
side = 128
colour = "RGB"
divide_by = 255.0
real_class = 0
"""


def test_the_packaged_catalogue_has_the_fields_of_the_loaders() -> None:
    catalogue = load_catalogue()
    assert {entry.role for entry in catalogue.entries} == {"detector", "landmarks", "embedder", "pad"}
    for entry in catalogue.entries:
        assert (entry.pad is not None) == (entry.kind == "pad_classifier")
        assert (entry.embedder is not None) == (entry.kind in {"arcface", "sface"})
        assert entry.terms.weights
        assert entry.terms.training_data
        assert catalogue.by_hash(entry.sha256) is entry
        assert all(catalogue.by_name(name) is entry for name in entry.names)
        assert entry.file_name == entry.names[0]
        assert (entry.url is None) == entry.kind.startswith(("dlib_", "facegate_"))


def test_licences_that_restrict_use_are_marked() -> None:
    for entry in load_catalogue().entries:
        says_so = "commercial" in entry.terms.weights and not entry.evaluation_only
        assert entry.restricts_use == says_so, entry.file_name


def test_sizes_are_those_of_the_files(assets: Path) -> None:
    compared = 0
    for entry in load_catalogue().entries:
        path = assets / "models" / entry.file_name
        if path.exists():
            assert entry.size == path.stat().st_size
            assert read_file(path)[1] == entry.sha256
            compared += 1
    assert compared >= 5


def test_the_packaged_packs() -> None:
    catalogue = load_catalogue()
    assert [pack.name for pack in catalogue.packs] == [
        "open",
        "open_sface",
        "edgeface",
        "buffalo_l",
        "buffalo_s",
    ]
    for pack in catalogue.packs:
        assert catalogue.pack(pack.name) is pack
        assert {entry.role for entry in pack.required} >= {"detector", "embedder"}
        assert pack.members == pack.required + pack.networks + pack.optional
        assert all(entry.url and not entry.evaluation_only for entry in pack.members)
        assert pack.restricts_use == (pack.family == "insightface" or pack.name == "edgeface")
        assert {entry.kind for entry in pack.members} <= FAMILIES[pack.family].kinds
        for entry in pack.required:
            if entry.role == "embedder":
                assert load_calibration(entry.sha256).points
    assert catalogue.pack("antelopev2") is None


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
        ("rank = 1", ""),
        ("rank = 1", "rank = true"),
        ('crop = "reflect"', 'crop = "stretched"'),
        ("crop_scale = 1.5", "crop_scale = -1.5"),
        ("side = 128", "side = 0"),
        ('"RGB"', '"GBR"'),
        ("divide_by = 255.0", "divide_by = nan"),
        ("restricts_use = false", ""),
        ("restricts_use = false", 'restricts_use = "no"'),
        ("size = 1000", "size = 0"),
        ("https://example.org/pad.onnx", "http://example.org/pad.onnx"),
        ("https://example.org/pad.onnx", "https:///pad.onnx"),
        ("https://example.org/pad.onnx", "https://example.org/"),
        ("https://example.org/pad.onnx", "https://[example/pad.onnx"),
    ],
)
def test_a_schema_violation_is_refused(old: str, new: str) -> None:
    assert old in ENTRY
    assert parse_catalogue("schema = 3" + ENTRY).entries[0].name == "pad"
    with pytest.raises(PackDataInvalid):
        parse_catalogue("schema = 3" + ENTRY.replace(old, new))


@pytest.mark.parametrize(
    "text", ["", "schema = 3", "schema =", "schema = 1" + ENTRY, "schema = 3" + ENTRY + ENTRY]
)
def test_anything_but_a_catalogue_is_refused(text: str) -> None:
    with pytest.raises(PackDataInvalid):
        parse_catalogue(text)


PACK = """
[[pack]]
name = "small"
family = "open"
title = "Small"
summary = "A test."
required = ["pad.onnx"]
networks = []
optional = []
"""


def test_a_pack_knows_its_files() -> None:
    catalogue = parse_catalogue("schema = 3" + ENTRY + PACK)
    pack = catalogue.pack("small")
    assert pack is not None
    assert pack.members == pack.required == catalogue.entries
    assert not pack.restricts_use
    restricted = ENTRY.replace("restricts_use = false", "restricts_use = true")
    assert parse_catalogue("schema = 3" + restricted + PACK).packs[0].restricts_use


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "small"', 'name = "../small"'),
        ('family = "open"', 'family = "closed"'),
        ('title = "Small"', ""),
        ('["pad.onnx"]', "[]"),
        ('["pad.onnx"]', '["other.onnx"]'),
        ('["pad.onnx"]', '["pad.onnx", "pad.onnx"]'),
        ("optional = []", 'optional = ["pad.onnx"]'),
        ("networks = []", ""),
        ("networks = []", 'networks = ["pad.onnx"]'),
        ("optional = []", "optional = []" + PACK),
    ],
)
def test_a_pack_that_breaks_the_schema_is_refused(old: str, new: str) -> None:
    assert old in PACK
    with pytest.raises(PackDataInvalid):
        parse_catalogue("schema = 3" + ENTRY + PACK.replace(old, new))


def test_a_pack_names_files_by_their_first_name() -> None:
    entry = ENTRY.replace('["pad.onnx"]', '["usual.onnx", "pad.onnx"]')
    with pytest.raises(PackDataInvalid, match="first name"):
        parse_catalogue("schema = 3" + entry + PACK)


@pytest.mark.parametrize("numbers", ["[1.0, 1.0]", "[1.0, 1.0, 0.0]", "1.0"])
def test_deviations_must_be_three_and_not_zero(numbers: str) -> None:
    entry = ENTRY.replace('"pad"', '"embedder"').replace("pad_classifier", "arcface")
    with pytest.raises(PackDataInvalid):
        parse_catalogue(f"schema = 3{entry}mean = [0.0, 0.0, 0.0]\nstd = {numbers}\n")


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

"""One function loads every pack."""

from pathlib import Path

import pytest

from tests.vision.packs.pulled_files import write_pulled_files
from vision.errors import PackFileAltered, PackIncomplete, PackNotFound
from vision.packs import load_pack
from vision.packs.catalogue import load_catalogue
from vision.packs.pack import Pack
from vision.packs.pack_files import default_models_dir, read_file


@pytest.fixture
def models_dir(assets: Path, tmp_path: Path) -> Path:
    """A models folder with the pack ``open``, as ``facegate models pull`` leaves it."""
    pack = load_catalogue().pack("open")
    assert pack is not None
    folder = tmp_path / "models"
    write_pulled_files(pack, assets, folder / "open")
    return folder


class TestFolders:
    def test_the_insightface_pack_loads(self, assets: Path, insightface_pack: Pack) -> None:
        assert load_pack(f"insightface:{assets / 'models'}").version == insightface_pack.version

    def test_the_open_pack_loads(self, assets: Path) -> None:
        assert load_pack(f"open:{assets / 'models'}").name == "open"

    def test_the_home_folder(
        self, assets: Path, insightface_pack: Pack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HOME", str(assets))
        assert load_pack("insightface:~/models").version == insightface_pack.version

    def test_a_missing_home_folder_is_reported(self) -> None:
        with pytest.raises(PackNotFound, match="the full path"):
            load_pack("open:~nobody-of-this-name/models")


class TestNamed:
    def test_is_loaded_from_its_folder(self, models_dir: Path) -> None:
        pack = load_pack("open", models_dir=models_dir)
        assert pack.name == "open"
        roles = ["detector", "landmarks", "embedder", "pad", "pad", "pad"]
        assert [file.role for file in pack.files] == roles
        assert pack.missing_pad_networks == ()

    def test_a_pack_without_a_network_loads_and_states_it(self, models_dir: Path) -> None:
        (models_dir / "open" / "MiniFASNetV2.onnx").unlink()
        pack = load_pack("open", models_dir=models_dir)
        assert [network.name for network in pack.pad_networks] == ["minifas_v2se", "minifasnet_v1se"]
        assert pack.missing_pad_networks == ("minifasnet_v2",)

    def test_bears_its_own_name(self, models_dir: Path) -> None:
        """And only its own files: others in its folder are not read."""
        (models_dir / "open").rename(models_dir / "open_sface")
        with pytest.raises(PackIncomplete, match=r"open_sface lacks face_recognition_sface_2021dec\.onnx"):
            load_pack("open_sface", models_dir=models_dir)

    def test_other_files_are_not_touched(self, models_dir: Path) -> None:
        plain = load_pack("open", models_dir=models_dir).version
        (models_dir / "open" / "w600k_r50.onnx").write_bytes(
            b"would be refused in a folder of the user's own"
        )
        assert load_pack("open", models_dir=models_dir).version == plain

    def test_a_pack_that_was_not_pulled(self, tmp_path: Path) -> None:
        with pytest.raises(PackNotFound, match="`facegate models pull buffalo_l`") as caught:
            load_pack("buffalo_l", models_dir=tmp_path)
        assert str(tmp_path) in str(caught.value)

    def test_missing_files_are_all_named(self, models_dir: Path) -> None:
        (models_dir / "open" / "face_landmarker.task").unlink()
        (models_dir / "open" / "mobilefacenet_foamliu.onnx").unlink()
        with pytest.raises(PackIncomplete, match="`facegate models pull open`") as caught:
            load_pack("open", models_dir=models_dir)
        assert "lacks mobilefacenet_foamliu.onnx, face_landmarker.task in" in str(caught.value)

    @pytest.mark.parametrize("name", ["mobilefacenet_foamliu.onnx", "MiniFASNetV2.onnx"])
    def test_an_altered_file_is_refused(self, models_dir: Path, name: str) -> None:
        """Also an optional one."""
        path = models_dir / "open" / name
        path.write_bytes(b"not what was pulled")
        with pytest.raises(
            PackFileAltered, match="Fetch it again with `facegate models pull open`"
        ) as caught:
            load_pack("open", models_dir=models_dir)
        entry = load_catalogue().by_name(name)
        assert entry is not None
        assert caught.value.expected == entry.sha256
        assert caught.value.found == read_file(path)[1]
        assert entry.sha256 in str(caught.value)
        assert caught.value.found in str(caught.value)

    def test_needs_a_models_folder(self) -> None:
        with pytest.raises(PackNotFound, match="models folder"):
            load_pack("open")


def test_embedded(embedded_pack: Pack) -> None:
    assert load_pack("embedded").version == embedded_pack.version


@pytest.mark.parametrize(
    "spec", ["", "insightface", "insightface:", "open:", "opened", "embedded ", "closed:/srv", "buffalo_xl"]
)
def test_an_unknown_pack_is_refused_with_the_known_names(spec: str, tmp_path: Path) -> None:
    with pytest.raises(PackNotFound, match="insightface:<folder>") as caught:
        load_pack(spec, models_dir=tmp_path)
    for name in ("embedded", "open", "buffalo_l", "open:<folder>"):
        assert f'"{name}"' in str(caught.value)


HOME = Path("/home/someone")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "/home/someone/.local/share/facegate/models"),
        ({"XDG_DATA_HOME": "/data"}, "/data/facegate/models"),
        ({"XDG_DATA_HOME": ""}, "/home/someone/.local/share/facegate/models"),
        ({"XDG_DATA_HOME": "data"}, "/home/someone/.local/share/facegate/models"),
        ({"FACEGATE_MODELS_DIR": "/srv/models", "XDG_DATA_HOME": "/data"}, "/srv/models"),
        ({"FACEGATE_MODELS_DIR": "models"}, "models"),
        ({"FACEGATE_MODELS_DIR": "."}, "."),
        ({"FACEGATE_MODELS_DIR": "~/models"}, "/home/someone/models"),
        ({"FACEGATE_MODELS_DIR": "~"}, "/home/someone"),
        ({"FACEGATE_MODELS_DIR": ""}, "/home/someone/.local/share/facegate/models"),
    ],
)
def test_the_environment_sets_the_folder(environ: dict[str, str], expected: str) -> None:
    assert default_models_dir(environ, HOME) == Path(expected)

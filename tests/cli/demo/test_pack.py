from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cli.demo import pack as module
from cli.demo.pack import ChosenPack, choose_pack
from cli.errors import CommandError
from tests.cli.demo.builders import PACK
from vision.errors import PackFileAltered, PullError, VisionError
from vision.packs import Pack
from vision.packs.catalogue import CataloguePack

Pull = Callable[[CataloguePack], Coroutine[Any, Any, None]]


@pytest.fixture(autouse=True)
def loading(monkeypatch: pytest.MonkeyPatch) -> dict[str, VisionError]:
    """Packs load if their folder exists; the returned table makes some of them fail."""
    broken: dict[str, VisionError] = {}

    def load_pack(spec: str, *, models_dir: Path) -> Pack:
        if spec in broken:
            raise broken[spec]
        assert spec == "embedded" or ":" in spec or (models_dir / spec).is_dir()
        return replace(PACK, name=spec)

    monkeypatch.setattr(module, "load_pack", load_pack)
    return broken


async def choose(models_dir: Path, *, wanted: str | None = None, pull: Pull | None = None) -> ChosenPack:
    return await choose_pack(wanted, models_dir, pull=pull or failing)


def pulling(models_dir: Path, asked: list[str]) -> Pull:
    async def pull(pack: CataloguePack) -> None:
        asked.append(pack.name)
        (models_dir / pack.name).mkdir()

    return pull


async def failing(pack: CataloguePack) -> None:
    raise PullError(f"{pack.name}: no network")


async def test_an_installed_pack_comes_first_and_nothing_is_pulled(tmp_path: Path) -> None:
    (tmp_path / "buffalo_s").mkdir()
    (tmp_path / "open").mkdir()
    asked: list[str] = []
    chosen = await choose(tmp_path, pull=pulling(tmp_path, asked))
    assert (chosen.spec, chosen.pack.name, asked) == ("open", "open", [])
    assert "models folder" in chosen.why


async def test_an_altered_pack_is_skipped_and_reported(
    tmp_path: Path, loading: dict[str, VisionError]
) -> None:
    (tmp_path / "buffalo_s").mkdir()
    (tmp_path / "open").mkdir()
    loading["open"] = PackFileAltered(name="x.onnx", expected="0" * 64, found="1" * 64)
    chosen = await choose(tmp_path)
    assert chosen.spec == "buffalo_s"
    assert "0" * 64 in chosen.obstacles[0]


async def test_an_empty_folder_makes_it_pull(tmp_path: Path) -> None:
    asked: list[str] = []
    chosen = await choose(tmp_path, pull=pulling(tmp_path, asked))
    assert (chosen.spec, asked) == ("open", ["open"])
    assert "pulled" in chosen.why


async def test_the_last_resort_needs_no_files(tmp_path: Path) -> None:
    chosen = await choose(tmp_path, pull=failing)
    assert chosen.spec == "embedded"
    assert "could not be pulled" in chosen.why
    assert chosen.obstacles == ("open: no network",)


async def test_a_named_pack_is_used_or_refused(tmp_path: Path, loading: dict[str, VisionError]) -> None:
    (tmp_path / "open").mkdir()
    assert (await choose(tmp_path, wanted="insightface:/srv/models")).spec == "insightface:/srv/models"
    loading["open"] = VisionError("broken")
    with pytest.raises(CommandError, match="broken"):
        await choose(tmp_path, wanted="open")


async def test_a_pack_that_cannot_meet_the_policy_is_no_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TRIAL_POLICY", "high")
    with pytest.raises(CommandError, match="cannot meet"):
        await choose(tmp_path, wanted="embedded")

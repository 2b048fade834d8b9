"""Loads any pack by the short text that names it in a setting."""

from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from formats.extras import missing_extra
from vision.errors import PackNotFound
from vision.onnx_sessions import RuntimeOptions
from vision.packs.catalogue import Catalogue, CataloguePack, Family, load_catalogue, with_imported
from vision.packs.insightface_pack import make_insightface_pack
from vision.packs.open_pack import make_open_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import FAMILIES, choose_files, folder_files, named_files

_EMBEDDED = "embedded"
_GROUP = "facegate.packs"
_MAKERS: dict[Family, Callable[..., Pack]] = {"open": make_open_pack, "insightface": make_insightface_pack}


def load_pack(spec: str, *, models_dir: Path | None = None, runtime: RuntimeOptions | None = None) -> Pack:
    """Load the pack that ``spec`` names.

    Args:
        spec: A pack of the catalogue, such as ``"open"`` or ``"buffalo_l"``; ``"embedded"``; or a folder
            of the user's own, as ``"open:<folder>"`` or ``"insightface:<folder>"`` (``~`` is the home
            folder).
        models_dir: Contains the packs of the catalogue, each in a folder named after it (see
            ``vision.packs.pack_files``); ``None`` if no such pack is needed.
        runtime: The options of ONNX Runtime; by default those of ``RuntimeOptions``.

    Raises:
        PackNotFound: There is no pack of that name, or its folder or package is missing.
        PackError: The pack exists but cannot be used; see ``vision.errors``.
    """
    options = runtime or RuntimeOptions()
    if spec == _EMBEDDED:
        return _load_embedded(options)
    family, colon, folder = spec.partition(":")
    known = next((known for known in FAMILIES if known == family), None)
    if colon and folder and known is not None:
        return load_folder_pack(known, _expanded(folder), runtime=options)
    catalogue = load_catalogue()
    pack = catalogue.pack(spec)
    if pack is not None:
        return _load_named(pack, models_dir, options)
    names = ", ".join(f'"{listed.name}"' for listed in catalogue.packs)
    raise PackNotFound(
        f"no pack is named {spec!r}: use one of {names}, which `facegate models pull` fetches; "
        f'"{_EMBEDDED}"; or "open:<folder>" or "insightface:<folder>" with a folder of model files'
    )


def load_folder_pack(
    family: Family, folder: Path, *, runtime: RuntimeOptions, catalogue: Catalogue | None = None
) -> Pack:
    """Load the best catalogued file of each role, and every PAD network, from a folder of the user's own.

    The family determines the kinds of files that are used; ``open`` ignores files whose licence restricts
    their use. Subfolders are not searched. The folder's ``models.toml`` may add embedders to the catalogue
    (``vision.packs.catalogue``).

    Raises:
        PackNotFound: The folder does not exist, or a file in it cannot be read.
        PackFileAltered: A file has a catalogued name but another content.
        PackIncomplete: There is no catalogued detector or embedder, or no calibration for the embedder.
        PackFileUnusable: The runtime cannot load a file.
    """
    kinds = FAMILIES[family]
    known = with_imported(catalogue or load_catalogue(), folder)
    found = folder_files(folder, family=kinds, catalogue=known)
    files = choose_files(found, family=kinds, where=str(folder))
    return _MAKERS[family](files, name=family, runtime=runtime)


def _load_embedded(options: RuntimeOptions) -> Pack:
    """Load the pack that ``facegate-lab`` brings."""
    found = tuple(metadata.entry_points(group=_GROUP, name=_EMBEDDED))
    if not found:
        raise PackNotFound(missing_extra("the pack embedded, which is for evaluation,", _EMBEDDED))
    try:
        load: Callable[..., Pack] = found[0].load()
    except Exception as error:
        raise PackNotFound(
            f"the pack embedded cannot be loaded from facegate-lab ({type(error).__name__}: {error}): "
            "install facegate-lab again, in the version of facegate"
        ) from error
    return load(runtime=options)


def _load_named(pack: CataloguePack, models_dir: Path | None, runtime: RuntimeOptions) -> Pack:
    if models_dir is None:
        raise PackNotFound(f"the pack {pack.name} is in a models folder, and none was given: set models_dir")
    files = choose_files(
        named_files(pack, models_dir),
        family=FAMILIES[pack.family],
        where=f"the pack {pack.name}",
    )
    return _MAKERS[pack.family](files, name=pack.name, runtime=runtime)


def _expanded(folder: str) -> Path:
    try:
        return Path(folder).expanduser()
    except RuntimeError as error:
        raise PackNotFound(f"{folder} does not name a known home folder: give the full path") from error

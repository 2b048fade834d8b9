"""One door to every pack: a short text in a setting names it."""

from pathlib import Path

from vision.errors import PackNotFound
from vision.onnx_sessions import RuntimeOptions
from vision.packs.catalogue import load_catalogue
from vision.packs.catalogue_entries import CataloguePack
from vision.packs.embedded_pack import load_embedded_pack
from vision.packs.insightface_pack import load_insightface_pack, make_insightface_pack
from vision.packs.open_pack import load_open_pack, make_open_pack
from vision.packs.pack import Pack
from vision.packs.pack_files import FAMILIES, choose_files, named_files

__all__ = ["load_pack"]

_EMBEDDED = "embedded"
_FOLDERS = {"open": load_open_pack, "insightface": load_insightface_pack}
_MAKERS = {"open": make_open_pack, "insightface": make_insightface_pack}


def load_pack(spec: str, *, models_dir: Path | None = None, runtime: RuntimeOptions | None = None) -> Pack:
    """Load the pack that ``spec`` names.

    Args:
        spec: A pack of the catalogue, such as ``"open"`` or ``"buffalo_l"``; ``"embedded"``; or a folder
            of the user's own, as ``"open:<folder>"`` or ``"insightface:<folder>"`` (``~`` is the home
            folder).
        models_dir: Holds the packs of the catalogue, each in a folder named after it (see
            ``vision.packs.models_dir``); None where no such pack is wanted.
        runtime: How ONNX Runtime is to run; the defaults of ``RuntimeOptions`` if None.

    Raises:
        PackNotFound: No pack of that name, or its folder or package is missing.
        PackError: The pack is there but cannot be used; see ``vision.errors``.
    """
    options = runtime or RuntimeOptions()
    if spec == _EMBEDDED:
        return load_embedded_pack(runtime=options)
    family, colon, folder = spec.partition(":")
    if colon and folder and family in _FOLDERS:
        return _FOLDERS[family](_expanded(folder), runtime=options)
    catalogue = load_catalogue()
    pack = catalogue.pack(spec)
    if pack is not None:
        return _load_named(pack, models_dir, options)
    names = ", ".join(f'"{known.name}"' for known in catalogue.packs)
    raise PackNotFound(
        f"no pack is named {spec!r}: use one of {names}, which `facegate models pull` fetches; "
        f'"{_EMBEDDED}"; or "open:<folder>" or "insightface:<folder>" with a folder of model files'
    )


def _load_named(pack: CataloguePack, models_dir: Path | None, runtime: RuntimeOptions) -> Pack:
    if models_dir is None:
        raise PackNotFound(f"the pack {pack.name} lies in a models folder, and none was given")
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
        raise PackNotFound(f"{folder} names no home folder: write the path in full") from error

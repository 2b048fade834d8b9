"""The files that a fetch of a pack brings, from the test assets."""

from pathlib import Path

from vision.packs.catalogue import CatalogueEntry, CataloguePack
from vision.packs.minifasnet_state import minifasnet_to_onnx, read_state


def pulled_files(pack: CataloguePack, assets: Path) -> dict[str, bytes]:
    """The content of every file, by name; Silent-Face's networks are converted from its state files."""
    return {entry.file_name: _content(entry, assets / "models") for entry in pack.fetched}


def write_pulled_files(pack: CataloguePack, assets: Path, folder: Path) -> Path:
    """Write the files into a folder, which is created and returned."""
    folder.mkdir(parents=True)
    for name, content in pulled_files(pack, assets).items():
        (folder / name).write_bytes(content)
    return folder


def _content(entry: CatalogueEntry, models: Path) -> bytes:
    if entry.state_file is None:
        return (models / entry.file_name).read_bytes()
    return minifasnet_to_onnx(read_state((models / entry.state_file.name).read_bytes()))

"""Files with pinned content: each is read once and hashed before it is used."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from vision.errors import PackFileAltered, PackNotFound
from vision.packs.catalogue import CatalogueEntry
from vision.packs.pack import PackFile
from vision.packs.templates import TemplateForm

__all__ = ["VerifiedFile", "pack_version", "read_file", "read_verified"]


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """Bytes that have the catalogued hash.

    Attributes:
        path: The file.
        entry: Its entry in the catalogue.
        sha256: Of the file, lower-case hex: one of ``entry.sha256s``.
        content: The bytes to load: those that were hashed, or the ONNX graph to which a state file was
            converted.
    """

    path: Path
    entry: CatalogueEntry
    sha256: str
    content: bytes

    @property
    def pack_file(self) -> PackFile:
        """The file's record for the pack."""
        return PackFile(name=self.path.name, role=self.entry.role, sha256=self.sha256)

    def template_form(self, dimensions: int, preprocessing: str) -> TemplateForm:
        """Return the form of the templates that this embedder makes with a preprocessing."""
        return TemplateForm(
            model=self.entry.name, sha256=self.sha256, dimensions=dimensions, preprocessing=preprocessing
        )


def read_file(path: Path) -> tuple[bytes, str]:
    """Return the content and the SHA-256 (lower-case hex) of a file.

    Raises:
        PackNotFound: The file cannot be read.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PackNotFound(
            f"{path.name} cannot be read ({type(error).__name__}): check the file and its permissions"
        ) from error
    return content, hashlib.sha256(content).hexdigest()


def read_verified(path: Path, entry: CatalogueEntry) -> VerifiedFile:
    """Read a file that must be the catalogued one.

    Raises:
        PackNotFound: The file cannot be read.
        PackFileAltered: The file has another content.
    """
    content, found = read_file(path)
    if found not in entry.sha256s:
        raise PackFileAltered(name=path.name, expected=entry.sha256, found=found)
    return VerifiedFile(path=path, entry=entry, sha256=found, content=content)


def pack_version(files: tuple[PackFile, ...], *, templates: TemplateForm) -> str:
    """Return a version that changes whenever a loaded file or the form of templates does: 12 hex digits.

    Args:
        files: Every loaded file.
        templates: How the embedder makes templates, which may change between releases without its file.
    """
    lines = "\n".join(sorted(f"{file.role} {file.sha256}" for file in files))
    lines += f"\ntemplates {templates.id}"
    return hashlib.sha256(lines.encode()).hexdigest()[:12]

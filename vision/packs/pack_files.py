"""Reads and verifies the files of a folder, and selects those that a pack uses."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vision.errors import PackFileAltered, PackIncomplete, PackNotFound
from vision.packs.catalogue import PAD_CLASSIFIER, Catalogue, CatalogueEntry, CataloguePack, Family
from vision.packs.interfaces import TemplateForm
from vision.packs.minifasnet_state import minifasnet_to_onnx, read_state
from vision.packs.pack import PackFile


@dataclass(frozen=True, slots=True)
class VerifiedFile:
    """Bytes that have the catalogued hash.

    Attributes:
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
        templates: How the embedder makes templates, which may change between releases without its file.
    """
    lines = "\n".join(sorted(f"{file.role} {file.sha256}" for file in files))
    lines += f"\ntemplates {templates.id}"
    return hashlib.sha256(lines.encode()).hexdigest()[:12]


_MODELS_DIR = "FACEGATE_MODELS_DIR"
_DATA_HOME = "XDG_DATA_HOME"


def default_models_dir(environ: Mapping[str, str], home: Path) -> Path:
    """Return the models folder, which has one subfolder for each pack, named after it.

    Args:
        environ: The environment. ``FACEGATE_MODELS_DIR`` names the folder itself (``~`` is ``home``);
            without it, the folder is below ``XDG_DATA_HOME``. Empty values are ignored, and so are
            relative ones in ``XDG_DATA_HOME``, as the XDG Base Directory Specification requires.
        home: The user's home folder.

    Returns:
        The folder, which need not exist.
    """
    configured = environ.get(_MODELS_DIR, "")
    if configured:
        path = Path(configured)
        return home.joinpath(*path.parts[1:]) if path.parts[:1] == ("~",) else path
    data = Path(environ.get(_DATA_HOME, ""))
    return (data if data.is_absolute() else home / ".local" / "share") / "facegate" / "models"


MEDIAPIPE_LANDMARKS = "mediapipe_face_landmarker"
"""The kind of MediaPipe's dense landmarks, which every family can use."""

_STATE_SUFFIX = ".pth"
_PATTERNS = ("*.onnx", "*.task", f"*{_STATE_SUFFIX}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyKinds:
    """The files that a family's loader reads.

    Attributes:
        landmarks: Kinds of dense landmarks, the preferred one first.
        restricted: Whether a folder's files whose licence restricts their use may be loaded.
        pack_example: A pack that can be pulled, for messages.
    """

    detector: str
    embedders: frozenset[str]
    landmarks: tuple[str, ...]
    restricted: bool
    detector_example: str
    embedder_example: str
    pack_example: str

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds (``CatalogueEntry.kind``) of detector, embedders, landmarks and PAD networks."""
        return self.embedders | {self.detector, *self.landmarks, PAD_CLASSIFIER}


FAMILIES: dict[Family, FamilyKinds] = {
    "open": FamilyKinds(
        detector="yunet",
        embedders=frozenset({"arcface", "sface"}),
        landmarks=(MEDIAPIPE_LANDMARKS,),
        restricted=False,
        detector_example="YuNet detector (face_detection_yunet_2023mar.onnx)",
        embedder_example="embedder (mobilefacenet_foamliu.onnx or face_recognition_sface_2021dec.onnx)",
        pack_example="open",
    ),
    "insightface": FamilyKinds(
        detector="scrfd",
        embedders=frozenset({"arcface"}),
        landmarks=("insightface106", MEDIAPIPE_LANDMARKS),
        restricted=True,
        detector_example="SCRFD detector (such as det_10g.onnx or det_500m.onnx)",
        embedder_example="ArcFace-type embedder (such as w600k_r50.onnx or w600k_mbf.onnx)",
        pack_example="buffalo_l",
    ),
}
"""The kinds of files in each family."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackFiles:
    """The files that make one pack.

    Attributes:
        landmarks: The dense landmarks, if there is such a file.
        pads: Presentation attack detection networks, possibly none.
    """

    detector: VerifiedFile
    landmarks: VerifiedFile | None
    embedder: VerifiedFile
    pads: tuple[VerifiedFile, ...]

    @property
    def used(self) -> tuple[VerifiedFile, ...]:
        """All files that exist."""
        files = (self.detector, self.landmarks, self.embedder, *self.pads)
        return tuple(file for file in files if file is not None)


def folder_files(folder: Path, *, family: FamilyKinds, catalogue: Catalogue) -> tuple[VerifiedFile, ...]:
    """Return a family's catalogued files in a folder of the user's own; subfolders are not searched.

    Files that are not in the catalogue are read but never passed to a model loader.

    Raises:
        PackNotFound: The folder does not exist, or a file in it cannot be read.
        PackFileAltered: A file has a catalogued name but another content.
        PackFileUnusable: A state file cannot be converted.
    """
    if not folder.is_dir():
        raise PackNotFound(f"there is no folder {folder}: give the folder that contains the model files")
    known = []
    for path in sorted(path for pattern in _PATTERNS for path in folder.glob(pattern)):
        content, sha256 = read_file(path)
        entry = catalogue.by_hash(sha256)
        if entry is None:
            namesake = catalogue.by_name(path.name)
            if namesake is not None:
                raise PackFileAltered(name=path.name, expected=namesake.digest_of(path.name), found=sha256)
        elif entry.kind in family.kinds and (family.restricted or entry.imported or not entry.restricts_use):
            graph = minifasnet_to_onnx(read_state(content)) if path.suffix == _STATE_SUFFIX else content
            known.append(VerifiedFile(path=path, entry=entry, sha256=sha256, content=graph))
    return tuple(known)


def named_files(pack: CataloguePack, models_dir: Path) -> tuple[VerifiedFile, ...]:
    """Return the files of a catalogued pack: every required one, and the optional ones that exist.

    ``models_dir`` contains a folder named after the pack.

    Raises:
        PackNotFound: The pack does not exist, or a file of it cannot be read.
        PackIncomplete: A required file is missing.
        PackFileAltered: A file's content is not the catalogued one.
    """
    folder = models_dir / pack.name
    pull = f"`facegate models pull {pack.name}`"
    if not folder.is_dir():
        raise PackNotFound(
            f"the pack {pack.name} is not in {models_dir}: fetch it with {pull}, or set models_dir "
            "(FACEGATE_MODELS_DIR) to the folder that holds it"
        )
    missing = [entry.file_name for entry in pack.required if not (folder / entry.file_name).exists()]
    if missing:
        raise PackIncomplete(
            f"the pack {pack.name} lacks {', '.join(missing)} in {folder}: fetch missing files with {pull}"
        )
    files = []
    for entry in pack.members:
        path = folder / entry.file_name
        if not path.exists():
            continue
        content, sha256 = read_file(path)
        if sha256 not in entry.sha256s:
            raise PackFileAltered(
                name=path.name, expected=entry.sha256, found=sha256, remedy=f"Fetch it again with {pull}"
            )
        files.append(VerifiedFile(path=path, entry=entry, sha256=sha256, content=content))
    return tuple(files)


def choose_files(files: Sequence[VerifiedFile], *, family: FamilyKinds, where: str) -> PackFiles:
    """Return the best file of each role, and every PAD network.

    ``where`` is the place of the files, for messages.

    Raises:
        PackIncomplete: There is no detector, no embedder, or neither.
    """
    detector = _best(files, {family.detector})
    embedder = _best(files, family.embedders)
    if detector is None or embedder is None:
        lacking = ((detector, family.detector_example), (embedder, family.embedder_example))
        missing = " and no ".join(example for file, example in lacking if file is None)
        raise PackIncomplete(
            f"{where} contains no catalogued {missing}: every pack needs one. Put it there, or fetch a whole "
            f"pack with `facegate models pull {family.pack_example}` and name {family.pack_example} as the "
            f"pack. `facegate models show {family.pack_example}` lists the files"
        )
    return PackFiles(
        detector=detector,
        landmarks=next(filter(None, (_best(files, {kind}) for kind in family.landmarks)), None),
        embedder=embedder,
        pads=_of_kinds(files, {PAD_CLASSIFIER}),
    )


def _best(files: Sequence[VerifiedFile], kinds: Iterable[str]) -> VerifiedFile | None:
    return max(_of_kinds(files, kinds), key=lambda file: file.entry.rank, default=None)


def _of_kinds(files: Sequence[VerifiedFile], kinds: Iterable[str]) -> tuple[VerifiedFile, ...]:
    """Return the files of some kinds; one content under two names counts once."""
    wanted = frozenset(kinds)
    return tuple({file.entry.sha256: file for file in files if file.entry.kind in wanted}.values())

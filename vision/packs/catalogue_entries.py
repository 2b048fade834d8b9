"""What the catalogue says: model files with terms and preprocessing, and packs made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from vision.errors import PackDataInvalid
from vision.packs.pack import LicenceTerms

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "CataloguePack",
    "EmbedderPreprocessing",
    "Family",
    "PadPreprocessing",
    "Role",
    "StateFile",
]

Role: TypeAlias = Literal["detector", "landmarks", "embedder", "pad"]
Family: TypeAlias = Literal["open", "insightface"]


@dataclass(frozen=True, slots=True)
class EmbedderPreprocessing:
    """How an embedder wants its aligned face.

    Attributes:
        mean: Subtracted from red, green and blue (0..255).
        std: Divided by afterwards; none is 0.
        mirror_average: True if the templates of the face and of its mirror image are added up.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    mirror_average: bool


@dataclass(frozen=True, slots=True)
class PadPreprocessing:
    """How a PAD network wants its crop.

    Attributes:
        crop: ``"reflect"``: a square, mirrored where the frame ends; ``"clamped"``: the enlarged
            box, made smaller or moved so as to stay inside the frame.
        crop_scale: How much larger than the face the crop is.
        size: Side of the input in pixels.
        colour: Order of the channels.
        divide_by: Pixel values 0..255 are divided by it.
        real_class: Which output stands for a bona fide presentation.
    """

    crop: Literal["reflect", "clamped"]
    crop_scale: float
    size: int
    colour: Literal["RGB", "BGR"]
    divide_by: float
    real_class: int


@dataclass(frozen=True, slots=True)
class StateFile:
    """The PyTorch file of a network's authors, which a folder pack converts when it loads.

    Attributes:
        name: File name.
        sha256: Of its bytes, lower-case hex.
    """

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One model file.

    Attributes:
        names: Names under which it is published; the first is the usual one.
        sha256: Of its bytes, lower-case hex.
        url: Where it is fetched from, pinned; None where it comes with an installed package.
        size: In bytes; None where only the hash is known.
        restricts_use: True where the licence of the weights restricts what they may be used for, so
            that somebody must accept it before the file is fetched.
        role: What it does.
        kind: Which loader understands it.
        name: The model's name in results; the usual file name without suffix if not given.
        rank: The highest of a role wins.
        evaluation_only: True where terms or quality allow evaluation only.
        source: Where it comes from.
        terms: Licences of weights and training data.
        embedder: Preprocessing of an embedder that is an ONNX file, else None.
        pad: Preprocessing of a PAD network of others, else None; Facegate's own makes its crops itself.
        converted_sha256: Of the ONNX file that ``evaluation.minifasnet_onnx`` makes of the state file; None
            without a state file.
        state_file: The file of the network's authors; None if there is none that Facegate can read.
    """

    names: tuple[str, ...]
    sha256: str
    role: Role
    kind: str
    name: str
    rank: int
    evaluation_only: bool
    restricts_use: bool
    source: str
    terms: LicenceTerms
    url: str | None = None
    size: int | None = None
    embedder: EmbedderPreprocessing | None = None
    pad: PadPreprocessing | None = None
    converted_sha256: str | None = None
    state_file: StateFile | None = None

    @property
    def sha256s(self) -> tuple[str, ...]:
        """Digests of the files that load as they are: the published one, then the conversion."""
        return (self.sha256,) if self.converted_sha256 is None else (self.sha256, self.converted_sha256)

    def digest_of(self, file_name: str) -> str:
        """The SHA-256 that a file of this name must have: of the state file, or else of the published file."""
        state = self.state_file
        return state.sha256 if state is not None and state.name == file_name else self.sha256

    @property
    def file_name(self) -> str:
        """The usual file name: the one that a pack's folder holds it under."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class CataloguePack:
    """A named set of model files.

    Attributes:
        name: Names the pack in settings and commands, and its folder.
        family: Which loader makes a pack of the files.
        title: For people, in a few words.
        summary: For people, in a sentence or two.
        required: Files without which the pack does not load.
        networks: PAD networks. They are fetched as the required files are, but a pack that lacks one still
            loads, and reports that.
        optional: Files that are loaded if they are present.
    """

    name: str
    family: Family
    title: str
    summary: str
    required: tuple[CatalogueEntry, ...]
    optional: tuple[CatalogueEntry, ...]
    networks: tuple[CatalogueEntry, ...] = ()

    @property
    def fetched(self) -> tuple[CatalogueEntry, ...]:
        """Files that every fetch of the pack must bring: the required ones and the PAD networks."""
        return self.required + self.networks

    @property
    def members(self) -> tuple[CatalogueEntry, ...]:
        """All files, those that are always fetched first."""
        return self.fetched + self.optional

    @property
    def restricts_use(self) -> bool:
        """Whether the licence of any member's weights restricts what they may be used for."""
        return any(entry.restricts_use for entry in self.members)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All model files that may be loaded, and the packs made of them.

    Attributes:
        entries: In the order of the file.
        packs: In the order of the file; each one's members are among the entries.
    """

    entries: tuple[CatalogueEntry, ...]
    packs: tuple[CataloguePack, ...] = ()
    _by_hash: Mapping[str, CatalogueEntry] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, CatalogueEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the entries.

        Raises:
            PackDataInvalid: Two entries share a hash or a file name, or two packs a name.
        """
        hashes = [(sha256, entry) for entry in self.entries for sha256 in entry.sha256s]
        names = [(name, entry) for entry in self.entries for name in entry.names]
        states = [(entry.state_file, entry) for entry in self.entries if entry.state_file is not None]
        hashes += [(file.sha256, entry) for file, entry in states]
        names += [(file.name, entry) for file, entry in states]
        by_hash, by_name = dict(hashes), dict(names)
        if len(by_hash) != len(hashes) or len(by_name) != len(names):
            raise PackDataInvalid("two models of the catalogue share a hash or a file name")
        if len({pack.name for pack in self.packs}) != len(self.packs):
            raise PackDataInvalid("two packs of the catalogue share a name")
        object.__setattr__(self, "_by_hash", MappingProxyType(by_hash))
        object.__setattr__(self, "_by_name", MappingProxyType(by_name))

    def by_hash(self, sha256: str) -> CatalogueEntry | None:
        """The entry of this content, if it is known."""
        return self._by_hash.get(sha256)

    def by_name(self, file_name: str) -> CatalogueEntry | None:
        """The entry that is published under this file name, if any."""
        return self._by_name.get(file_name)

    def pack(self, name: str) -> CataloguePack | None:
        """The pack of this name, if there is one."""
        return next((pack for pack in self.packs if pack.name == name), None)

    def of_kind(self, kind: str) -> tuple[CatalogueEntry, ...]:
        """The entries of a kind, in their order."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def only(self, kind: str) -> CatalogueEntry:
        """The one entry of a kind.

        Raises:
            PackDataInvalid: There is none, or more than one.
        """
        found = self.of_kind(kind)
        if len(found) != 1:
            raise PackDataInvalid(f"the catalogue has {len(found)} models of kind {kind}, expected one")
        return found[0]

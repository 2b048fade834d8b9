"""Reads the packaged list of model files and packs, ``catalogue.toml``, and tests it."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from vision.errors import PackDataInvalid
from vision.packs.pack import LicenceTerms, read_bounded_text

Role: TypeAlias = Literal["detector", "landmarks", "embedder", "pad"]
Family: TypeAlias = Literal["open", "insightface"]
_Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
_Above0 = Annotated[float, Field(gt=0, allow_inf_nan=False)]


def _https(url: str) -> str:
    """Return an https address, so that the file cannot be exchanged on the network."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or not parts.path.strip("/"):
        raise ValueError(f"{url!r} is not an https address of a file")
    return url


def _without_0(numbers: tuple[float, ...]) -> tuple[float, ...]:
    if not all(numbers):
        raise ValueError("std must not be 0")
    return numbers


@dataclass(frozen=True, slots=True)
class EmbedderPreprocessing:
    """The preprocessing of an embedder's aligned face.

    Attributes:
        mean: Subtracted from red, green and blue (0..255).
        std: Divisor after the subtraction; none is 0.
        mirror_average: Whether the templates of the face and of its mirror image are added.
        mesh_points: Whether the face is aligned by MediaPipe's mesh, if the pack has it, and not by the
            detector's five points.
    """

    mean: tuple[float, float, float]
    std: Annotated[tuple[float, float, float], AfterValidator(_without_0)]
    mirror_average: bool = False
    mesh_points: bool = False


@dataclass(frozen=True, slots=True)
class PadPreprocessing:
    """The preprocessing of a PAD network's crop.

    Attributes:
        crop: ``"reflect"``: a square, mirrored beyond the frame; ``"clamped"``: the enlarged box, reduced
            or moved to stay inside the frame.
        crop_scale: Side of the crop divided by that of the face.
        size: Side of the input, pixels.
        colour: Order of the channels.
        divide_by: Divisor of the pixel values 0..255.
        real_class: Index of the output for a bona fide presentation.
    """

    crop: Literal["reflect", "clamped"]
    crop_scale: _Above0
    size: Annotated[int, Field(gt=0)]
    colour: Literal["RGB", "BGR"]
    divide_by: _Above0
    real_class: int


@dataclass(frozen=True, slots=True)
class StateFile:
    """The PyTorch file of a network's authors, which a folder pack or a pull from a folder converts.

    Attributes:
        sha256: Of its bytes, lower-case hex.
    """

    name: str
    sha256: _Sha256


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One model file.

    Attributes:
        names: Names under which it is published; the first is the usual one.
        sha256: SHA-256 of its bytes, lower-case hex.
        url: The pinned address from which it is fetched; ``None`` if it comes with an installed package.
        size: Size in bytes; ``None`` if only the hash is known.
        restricts_use: Whether the licence of the weights restricts their use, so that a person must accept
            it before the file is fetched.
        kind: The kind, which determines the loader.
        name: The model's name in results; by default the usual file name without suffix.
        rank: The file of the highest rank is used for a role.
        evaluation_only: Whether terms or quality allow evaluation only.
        terms: Licences of weights and training data.
        embedder: Preprocessing of an embedder in ONNX form; ``None`` for other files.
        pad: Preprocessing of a third party's PAD network; ``None`` for other files. Facegate's own network
            makes its crops itself.
        converted_sha256: SHA-256 of the ONNX file that ``lab.evaluation.minifasnet_onnx`` makes of the state
            file; ``None`` without a state file.
        state_file: The PyTorch file of the network's authors; ``None`` if Facegate can read none.
        imported: Whether the operator added it to a folder (``vision.packs.catalogue``).
    """

    names: tuple[str, ...]
    sha256: _Sha256
    role: Role
    kind: str
    name: str
    rank: int
    evaluation_only: bool
    restricts_use: bool
    source: str
    terms: LicenceTerms
    url: Annotated[str, AfterValidator(_https)] | None = None
    size: Annotated[int, Field(gt=0)] | None = None
    embedder: EmbedderPreprocessing | None = None
    pad: PadPreprocessing | None = None
    converted_sha256: _Sha256 | None = None
    state_file: StateFile | None = None
    imported: bool = False

    @property
    def sha256s(self) -> tuple[str, ...]:
        """Digests of the files that load as they are: the published one, then the conversion."""
        return (self.sha256,) if self.converted_sha256 is None else (self.sha256, self.converted_sha256)

    def digest_of(self, file_name: str) -> str:
        """The SHA-256 that a file of this name must have: the state file's or the published file's."""
        state = self.state_file
        return state.sha256 if state is not None and state.name == file_name else self.sha256

    @property
    def file_name(self) -> str:
        """The first of ``names``, under which the file is stored in a pack's folder."""
        return self.names[0]


@dataclass(frozen=True, slots=True)
class CataloguePack:
    """A named set of model files.

    Attributes:
        name: The name of the pack in settings and commands, and of its folder.
        family: The family, which determines the loader.
        title: A title of a few words, for people.
        summary: One or two sentences, for people.
        required: Files without which the pack does not load.
        networks: PAD networks. They are fetched as the required files are, but a pack that lacks one still
            loads, and reports that.
        optional: Files that are loaded if they are present.
    """

    name: Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$")]
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
        """Whether the licence of any member's weights restricts their use."""
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
        """Return the entry with this content, if there is one."""
        return self._by_hash.get(sha256)

    def by_name(self, file_name: str) -> CatalogueEntry | None:
        """Return the entry that is published under this file name, if there is one."""
        return self._by_name.get(file_name)

    def pack(self, name: str) -> CataloguePack | None:
        """Return the pack of this name, if there is one."""
        return next((pack for pack in self.packs if pack.name == name), None)

    def of_kind(self, kind: str) -> tuple[CatalogueEntry, ...]:
        """The entries of a kind, in their order."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    def only(self, kind: str) -> CatalogueEntry:
        """Return the only entry of a kind.

        Raises:
            PackDataInvalid: There is none, or more than one.
        """
        found = self.of_kind(kind)
        if len(found) != 1:
            raise PackDataInvalid(f"the catalogue has {len(found)} models of kind {kind}, expected one")
        return found[0]


_SCHEMA = 3
PAD_CLASSIFIER = "pad_classifier"
"""The kind of the PAD networks of others."""
_NORMALISED = frozenset({"arcface", "sface"})
_ENTRY = TypeAdapter(CatalogueEntry)
_PACK = TypeAdapter(CataloguePack)


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """Return the packaged catalogue.

    Raises:
        PackDataInvalid: The packaged file breaks its schema.
    """
    return parse_catalogue((files("vision.packs") / "catalogue.toml").read_text(encoding="utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """Read a catalogue.

    Args:
        text: TOML in the schema of ``catalogue.toml``.

    Raises:
        PackDataInvalid: The text is not TOML or breaks the schema.
    """
    try:
        table = tomllib.loads(text)
        if table["schema"] != _SCHEMA:
            raise PackDataInvalid(f"catalogue schema {table['schema']!r}, expected {_SCHEMA}")
        models = Catalogue(tuple(_entry(model) for model in table["model"]))
        return Catalogue(
            entries=models.entries, packs=tuple(_pack(pack, models) for pack in table.get("pack", []))
        )
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PackDataInvalid(f"the catalogue is not valid TOML: {error}") from error
    except KeyError as error:
        raise PackDataInvalid(f"a model or pack of the catalogue lacks the entry {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise PackDataInvalid(f"the catalogue breaks its schema: {place}: {first['msg']}") from error
    except (AttributeError, TypeError, ValueError) as error:
        raise PackDataInvalid(f"the catalogue breaks its schema: {error}") from error


def _entry(model: Mapping[str, Any]) -> CatalogueEntry:
    names, kind = model["names"], model["kind"]
    if not names:
        raise ValueError("a model has no file name")
    stated = {
        "name": names[0].rpartition(".")[0],
        **model,
        "terms": {**model, "part": names[0]},
        "embedder": model if kind in _NORMALISED else None,
        "pad": {**model, "size": model["side"]} if kind == PAD_CLASSIFIER else None,
    }
    # As JSON, in which ``true`` is no number and a text no flag.
    return _ENTRY.validate_json(json.dumps(stated, default=str), strict=True)


def _pack(pack: Mapping[str, Any], models: Catalogue) -> CataloguePack:
    required, networks, optional = (
        tuple(_member(pack["name"], file_name, models) for file_name in pack[part])
        for part in ("required", "networks", "optional")
    )
    stated = json.dumps({**pack, "required": [], "networks": [], "optional": []}, default=str)
    made = replace(
        _PACK.validate_json(stated, strict=True), required=required, networks=networks, optional=optional
    )
    if any(entry.role != "pad" for entry in made.networks):
        raise ValueError(f"the pack {made.name} lists a file among its PAD networks that is none")
    if not made.required or len({entry.sha256 for entry in made.members}) != len(made.members):
        raise ValueError(f"the pack {made.name} requires no file, or names one twice")
    return made


def _member(pack: str, name: str, models: Catalogue) -> CatalogueEntry:
    entry = models.by_name(name)
    if entry is None or entry.file_name != name:
        raise ValueError(f"the pack {pack} names {name}, which is the first name of no model")
    return entry


# Embedders of the operator's own, which a folder's ``models.toml`` describes as the catalogue does.
#
# ::
#
#     schema = 3
#
#     [[model]]
#     names = ["auraface.onnx"]
#     sha256 = "..."                     # nothing else is loaded under this name
#     role = "embedder"
#     kind = "arcface"                   # five points to a square of RGB; one template
#     rank = 100                         # above the packaged ones
#     evaluation_only = false
#     restricts_use = false
#     source = "..."
#     weights = "..."                    # the terms, as every result's pack states them
#     training_data = "..."
#     mean = [127.5, 127.5, 127.5]
#     std = [127.5, 127.5, 127.5]
#     mirror_average = true
#
# ``facegate models import`` writes it.

MODELS_FILE: Final = "models.toml"
IMPORTED_KIND: Final = "arcface"
_MOST_BYTES: Final = 64 * 1024


def with_imported(catalogue: Catalogue, folder: Path) -> Catalogue:
    """Return the catalogue with the embedders that a folder's ``models.toml`` adds; itself without the file.

    Raises:
        PackNotFound: The file cannot be read.
        PackDataInvalid: The file breaks the schema, adds another model than an embedder, or gives a name or a
            hash of the catalogue to another file.
    """
    path = folder / MODELS_FILE
    if not path.is_file():
        return catalogue
    added = parse_catalogue(read_bounded_text(path, what=str(path), most_bytes=_MOST_BYTES))
    if added.packs or any(entry.role != "embedder" or entry.kind != IMPORTED_KIND for entry in added.entries):
        raise PackDataInvalid(f"{path} may only add embedders of the kind {IMPORTED_KIND}")
    entries = tuple(replace(entry, imported=True) for entry in added.entries)
    return Catalogue(entries=catalogue.entries + entries, packs=catalogue.packs)

"""The packaged list of model files that may be loaded: ``catalogue.toml``, read and checked."""

import math
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, TypeVar, cast

from vision.errors import PackDataInvalid
from vision.packs.pack import LicenceTerms

__all__ = [
    "Catalogue",
    "CatalogueEntry",
    "EmbedderPreprocessing",
    "PadPreprocessing",
    "Role",
    "load_catalogue",
    "parse_catalogue",
]

Role: TypeAlias = Literal["detector", "landmarks", "embedder", "pad"]

_Value = TypeVar("_Value")
_Number = TypeVar("_Number", int, float)

_SCHEMA = 1
_ROLES = frozenset({"detector", "landmarks", "embedder", "pad"})


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
class CatalogueEntry:
    """One model file.

    Attributes:
        names: Names under which it is published; the first is the usual one.
        sha256: Of its bytes, lower-case hex.
        role: What it does.
        kind: Which loader understands it.
        name: The model's name in results; the usual file name without suffix if not given.
        rank: The highest of a role wins.
        evaluation_only: True where terms or quality allow evaluation only.
        source: Where it comes from.
        terms: Licences of weights and training data.
        embedder: Preprocessing of an embedder of kind ``arcface``, else None.
        pad: Preprocessing of a PAD network, else None.
        mirror_average: For embedders: see ``EmbedderPreprocessing``.
    """

    names: tuple[str, ...]
    sha256: str
    role: Role
    kind: str
    name: str
    rank: int
    evaluation_only: bool
    source: str
    terms: LicenceTerms
    embedder: EmbedderPreprocessing | None = None
    pad: PadPreprocessing | None = None
    mirror_average: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All model files that may be loaded.

    Attributes:
        entries: In the order of the file.
    """

    entries: tuple[CatalogueEntry, ...]
    _by_hash: Mapping[str, CatalogueEntry] = field(init=False, repr=False, compare=False)
    _by_name: Mapping[str, CatalogueEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Index the entries.

        Raises:
            PackDataInvalid: Two entries share a hash or a file name.
        """
        by_hash = {entry.sha256: entry for entry in self.entries}
        by_name = {name: entry for entry in self.entries for name in entry.names}
        if len(by_hash) != len(self.entries) or len(by_name) != sum(len(e.names) for e in self.entries):
            raise PackDataInvalid("two models of the catalogue share a hash or a file name")
        object.__setattr__(self, "_by_hash", MappingProxyType(by_hash))
        object.__setattr__(self, "_by_name", MappingProxyType(by_name))

    def by_hash(self, sha256: str) -> CatalogueEntry | None:
        """The entry of this content, if it is known."""
        return self._by_hash.get(sha256)

    def by_name(self, file_name: str) -> CatalogueEntry | None:
        """The entry that is published under this file name, if any."""
        return self._by_name.get(file_name)

    def only(self, kind: str) -> CatalogueEntry:
        """The one entry of a kind.

        Raises:
            PackDataInvalid: There is none, or more than one.
        """
        found = [entry for entry in self.entries if entry.kind == kind]
        if len(found) != 1:
            raise PackDataInvalid(f"the catalogue has {len(found)} models of kind {kind}, expected one")
        return found[0]


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """The packaged catalogue.

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
        return Catalogue(tuple(_entry(model) for model in table["model"]))
    except tomllib.TOMLDecodeError as error:
        raise PackDataInvalid(f"the catalogue is not valid TOML: {error}") from error
    except KeyError as error:
        raise PackDataInvalid(f"a model of the catalogue lacks the entry {error}") from error
    except (TypeError, ValueError) as error:
        raise PackDataInvalid(f"the catalogue breaks its schema: {error}") from error


def _entry(model: Mapping[str, Any]) -> CatalogueEntry:
    names = tuple(_typed(name, str) for name in model["names"])
    if not names:
        raise ValueError("a model has no file name")
    sha256 = _typed(model["sha256"], str)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"{names[0]}: sha256 must be 64 lower-case hex digits")
    role, kind = _one_of(model["role"], _ROLES), _typed(model["kind"], str)
    mirror = _typed(model.get("mirror_average", False), bool)
    return CatalogueEntry(
        names=names,
        sha256=sha256,
        role=cast("Role", role),
        kind=kind,
        name=_typed(model.get("name", names[0].rpartition(".")[0]), str),
        rank=_typed(model["rank"], int),
        evaluation_only=_typed(model["evaluation_only"], bool),
        source=_typed(model["source"], str),
        terms=LicenceTerms(
            part=names[0],
            weights=_typed(model["weights"], str),
            training_data=_typed(model["training_data"], str),
        ),
        embedder=_embedder(model, mirror) if kind == "arcface" else None,
        pad=_pad(model) if role == "pad" else None,
        mirror_average=mirror,
    )


def _embedder(model: Mapping[str, Any], mirror: bool) -> EmbedderPreprocessing:
    std = _triple(model["std"])
    if not all(std):
        raise ValueError("std must not be 0")
    return EmbedderPreprocessing(mean=_triple(model["mean"]), std=std, mirror_average=mirror)


def _pad(model: Mapping[str, Any]) -> PadPreprocessing:
    return PadPreprocessing(
        crop=cast("Literal['reflect', 'clamped']", _one_of(model["crop"], {"reflect", "clamped"})),
        crop_scale=_positive(model["crop_scale"], float),
        size=_positive(model["size"], int),
        colour=cast("Literal['RGB', 'BGR']", _one_of(model["colour"], {"RGB", "BGR"})),
        divide_by=_positive(model["divide_by"], float),
        real_class=_typed(model["real_class"], int),
    )


def _typed(value: object, kind: Callable[..., _Value]) -> _Value:
    """``value`` if it is exactly of ``kind``, which keeps ``true`` from passing as the number 1."""
    if type(value) is not kind:
        raise TypeError(f"expected a value of type {getattr(kind, '__name__', kind)}, got {value!r}")
    return cast("_Value", value)


def _positive(value: object, kind: Callable[..., _Number]) -> _Number:
    number = _typed(value, kind)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"expected a number above 0, got {number}")
    return number


def _one_of(value: object, allowed: Collection[str]) -> str:
    text = _typed(value, str)
    if text not in allowed:
        raise ValueError(f"{text!r} is none of {', '.join(sorted(allowed))}")
    return text


def _triple(value: object) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3:
        raise ValueError(f"expected three numbers, got {value!r}")
    return _typed(value[0], float), _typed(value[1], float), _typed(value[2], float)

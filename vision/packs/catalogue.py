"""Reads the packaged list of model files and packs, ``catalogue.toml``, and tests it."""

import math
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

from vision.errors import PackDataInvalid
from vision.packs.catalogue_entries import (
    Catalogue,
    CatalogueEntry,
    CataloguePack,
    EmbedderPreprocessing,
    Family,
    PadPreprocessing,
    Role,
    StateFile,
)
from vision.packs.pack import LicenceTerms

__all__ = [
    "PAD_CLASSIFIER",
    "Catalogue",
    "CatalogueEntry",
    "CataloguePack",
    "EmbedderPreprocessing",
    "Family",
    "PadPreprocessing",
    "Role",
    "load_catalogue",
    "parse_catalogue",
]

_Value = TypeVar("_Value")
_Number = TypeVar("_Number", int, float)

_SCHEMA = 3
_ROLES = frozenset({"detector", "landmarks", "embedder", "pad"})
_FAMILIES = frozenset({"open", "insightface"})
PAD_CLASSIFIER = "pad_classifier"
"""The kind of the PAD networks of others."""
_NORMALISED = frozenset({"arcface", "sface"})
_PACK_NAME = re.compile(r"[a-z][a-z0-9_]*")


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
    except (TypeError, ValueError) as error:
        raise PackDataInvalid(f"the catalogue breaks its schema: {error}") from error


def _entry(model: Mapping[str, Any]) -> CatalogueEntry:
    names = tuple(_typed(name, str) for name in model["names"])
    if not names:
        raise ValueError("a model has no file name")
    sha256 = _sha256(model["sha256"], names[0])
    role, kind = _one_of(model["role"], _ROLES), _typed(model["kind"], str)
    return CatalogueEntry(
        names=names,
        sha256=sha256,
        role=cast("Role", role),
        kind=kind,
        name=_typed(model.get("name", names[0].rpartition(".")[0]), str),
        rank=_typed(model["rank"], int),
        evaluation_only=_typed(model["evaluation_only"], bool),
        restricts_use=_typed(model["restricts_use"], bool),
        source=_typed(model["source"], str),
        terms=LicenceTerms(
            part=names[0],
            weights=_typed(model["weights"], str),
            training_data=_typed(model["training_data"], str),
        ),
        url=_url(model["url"]) if "url" in model else None,
        size=_positive(model["size"], int) if "size" in model else None,
        embedder=_embedder(model) if kind in _NORMALISED else None,
        pad=_pad(model) if kind == PAD_CLASSIFIER else None,
        converted_sha256=_sha256(model["converted_sha256"], names[0])
        if "converted_sha256" in model
        else None,
        state_file=_state_file(model["state_file"]) if "state_file" in model else None,
    )


def _state_file(file: Mapping[str, Any]) -> StateFile:
    name = _typed(file["name"], str)
    return StateFile(name=name, sha256=_sha256(file["sha256"], name))


def _sha256(value: object, model: str) -> str:
    sha256 = _typed(value, str)
    if len(sha256) != 64 or set(sha256) - set("0123456789abcdef"):
        raise ValueError(f"{model}: sha256 must be 64 lower-case hex digits")
    return sha256


def _pack(pack: Mapping[str, Any], models: Catalogue) -> CataloguePack:
    name = _typed(pack["name"], str)
    if not _PACK_NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a pack name: expected small letters, digits and underscores")
    required, networks, optional = (
        tuple(_member(name, file_name, models) for file_name in pack[part])
        for part in ("required", "networks", "optional")
    )
    if any(entry.role != "pad" for entry in networks):
        raise ValueError(f"the pack {name} lists a file among its PAD networks that is none")
    members = required + networks + optional
    if not required or len({entry.sha256 for entry in members}) != len(members):
        raise ValueError(f"the pack {name} requires no file, or names one twice")
    return CataloguePack(
        name=name,
        family=cast("Family", _one_of(pack["family"], _FAMILIES)),
        title=_typed(pack["title"], str),
        summary=_typed(pack["summary"], str),
        required=required,
        networks=networks,
        optional=optional,
    )


def _member(pack: str, file_name: object, models: Catalogue) -> CatalogueEntry:
    name = _typed(file_name, str)
    entry = models.by_name(name)
    if entry is None or entry.file_name != name:
        raise ValueError(f"the pack {pack} names {name}, which is the first name of no model")
    return entry


def _url(value: object) -> str:
    """Return ``value`` if it is an https address, so that the file cannot be exchanged on the network."""
    url = _typed(value, str)
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or not parts.path.strip("/"):
        raise ValueError(f"{url!r} is not an https address of a file")
    return url


def _embedder(model: Mapping[str, Any]) -> EmbedderPreprocessing:
    std = _triple(model["std"])
    if not all(std):
        raise ValueError("std must not be 0")
    return EmbedderPreprocessing(
        mean=_triple(model["mean"]),
        std=std,
        mirror_average=_typed(model.get("mirror_average", False), bool),
        mesh_points=_typed(model.get("mesh_points", False), bool),
    )


def _pad(model: Mapping[str, Any]) -> PadPreprocessing:
    return PadPreprocessing(
        crop=cast("Literal['reflect', 'clamped']", _one_of(model["crop"], {"reflect", "clamped"})),
        crop_scale=_positive(model["crop_scale"], float),
        size=_positive(model["side"], int),
        colour=cast("Literal['RGB', 'BGR']", _one_of(model["colour"], {"RGB", "BGR"})),
        divide_by=_positive(model["divide_by"], float),
        real_class=_typed(model["real_class"], int),
    )


def _typed(value: object, kind: Callable[..., _Value]) -> _Value:
    """Return ``value`` if it is exactly of ``kind``, so that ``true`` does not pass as the number 1."""
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

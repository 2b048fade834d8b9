"""Reads the packaged data files of the models: TOML, whose tables are the fields of dataclasses."""

import sys
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from importlib.resources import files
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from liveness.errors import LivenessError


def read_packaged(package: str, name: str, *, broken: type[LivenessError]) -> str:
    """Return the text of a data file of a package.

    Raises:
        LivenessError: The file cannot be read; of the type ``broken``.
    """
    try:
        return files(package).joinpath(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise broken(f"the packaged {name} cannot be read; reinstall the package") from error


def read_parts(text: str, parts: Mapping[str, Any], *, broken: type[LivenessError]) -> dict[str, Any]:
    """Return the parts of a model's text, by name.

    Args:
        text: TOML with exactly these parts.
        parts: The type of each: ``str``, ``int``, ``float``, a dataclass, or a mapping or tuple of such. A
            dataclass needs all keys without a default, and no other.
        broken: The error to raise.

    Raises:
        LivenessError: The text is not TOML, or a key is missing, unknown or of the wrong type.
    """
    try:
        return _table("the model", tomllib.loads(text), parts)
    # A number of thousands of digits gives a plain ValueError, and deep nesting a RecursionError.
    except (ValueError, RecursionError) as error:
        raise broken(f"the data file of the model cannot be used: {error}") from error


def _table(name: str, value: Any, kinds: Mapping[str, Any], optional: Collection[str] = ()) -> dict[str, Any]:
    if not isinstance(value, dict) or not set(kinds) - set(optional) <= set(value) <= set(kinds):
        raise ValueError(f"{name} must hold {', '.join(kinds)}")
    return {key: _value(f"{name}: {key}", one, kinds[key]) for key, one in value.items()}


def _value(name: str, value: Any, kind: Any) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind) and isinstance(kind, type):
        optional = [one.name for one in fields(kind) if one.default is not MISSING]
        return kind(**_table(name, value, get_type_hints(kind), optional))
    if origin is UnionType:
        return _value(name, value, arguments[0])
    if origin is Mapping and isinstance(value, dict):
        return MappingProxyType(
            {key: _value(f"{name}: {key}", one, arguments[1]) for key, one in value.items()}
        )
    if origin is tuple and isinstance(value, list):
        return tuple(_value(name, one, arguments[0]) for one in value)
    if kind is float and type(value) in {int, float} and abs(value) <= sys.float_info.max:
        return float(value)
    if kind in {int, str} and type(value) is kind:
        return value
    raise ValueError(f"{name} is of the wrong type, or not a finite number")

"""Writes docs/reference/settings.md, policies.md and the JSON Schema of policy files, from their schemas."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typing_extensions import TypeIs

from server.configuration.settings import Settings
from server.policies.schema import Policy, render_schema

_SETTINGS: Final = """\
# Settings

Every setting of the server. A settings file is TOML. Environment variables take precedence: `FACEGATE_` and
`__` between levels, such as `FACEGATE_LISTENERS__DEVICE__PORT=8443`. `facegate config show` prints the
effective values and their sources. Settings are read at the start; those that are read again while the server
runs say so. The value after `=` is the default.

`make reference` writes this page; do not edit it by hand.
"""

_POLICIES: Final = """\
# Policies

A policy is a TOML file with the demands of one use case. The server freezes it into each check, with its
hash. Put your own into the folder that the [setting](settings.md) `policies.folder` names, and raise
`version` with every change. `policies.served` names those that the server serves, by default all: list them
to take the shipped ones that you do not use out of service.

`facegate policy show` lists the policies of a server; with a name it prints one, and `facegate policy show
FILE` validates a file. `server/policies/policy.schema.json` is the JSON Schema for editors. A policy that no
device can meet with a server's settings is unavailable there, and the command names the missing settings
([how to configure them](../device_integrity.md#configure-it)).

The value after `=` is the default. `make reference` writes this page; do not edit it by hand.
"""

REFERENCE: Final = Path(__file__).resolve().parent / "reference"
"""The folder of the generated pages."""
_BOUNDS: Final = ((Ge, "ge", "at least"), (Gt, "gt", "above"), (Le, "le", "at most"), (Lt, "lt", "below"))
_WORTH_REPEATING: Final = 60
"""Characters up to which a single description is written again in another table."""
_SHORT_KIND: Final = 25
"""Characters up to which the kind of the row above is written again."""
_OF_A_DEFAULT: Final = re.compile(r"^(?:boolean|integer|number|text)(?:, |$)")
_KIND: Final = "#"
"""Separates the name of a table from the kind that selects its schema."""
_NAMES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    Path: "path",
    date: "date, such as 2027-03-31",
}


@dataclass(frozen=True, slots=True)
class ReferenceField:
    """One field of a schema.

    Attributes:
        table: Dotted name of its table; empty at the top.
        name: Its name in the table.
        kind: Its type, in words, with its range.
        default: Its default in TOML; ``None`` if it has none.
        required: Whether it must be given.
    """

    table: str
    name: str
    kind: str
    default: str | None
    required: bool
    description: str


def settings_page() -> str:
    """Return every setting, table by table."""
    return _page(_SETTINGS, Settings)


def policies_page() -> str:
    """Return every field of a policy file, table by table."""
    return _page(_POLICIES, Policy)


def reference_fields(model: type[BaseModel]) -> list[ReferenceField]:
    """Return every field of a schema: those of a table before those of its subtables."""
    return list(_fields(model, ""))


def _page(introduction: str, model: type[BaseModel]) -> str:
    lines = [introduction.rstrip()]
    described: dict[ReferenceField, str] = {}
    written: dict[tuple[ReferenceField, ...], str] = {}
    for table, group in groupby(reference_fields(model), key=attrgetter("table")):
        fields = tuple(group)
        lines += ["", f"## {_heading(table)}", ""]
        first = written.setdefault(tuple(replace(field, table="") for field in fields), table)
        if first != table:
            lines.append(f"As {_heading(first)}.")
            continue
        above = ""
        for source, run in groupby(fields, key=lambda field: described.get(_anywhere(field))):
            same = list(run)
            if source is not None and (len(same) > 1 or len(same[0].description) > _WORTH_REPEATING):
                names = ", ".join(f"`{_shown(field)}`" for field in same)
                lines.append(f"- {names}: As in {_heading(source)}.")
                above = ""
                continue
            for field in same:
                kind = "as above" if field.kind == above and len(above) > _SHORT_KIND else field.kind
                above = field.kind
                described.setdefault(_anywhere(field), table)
                lines.append(_line(field, kind))
    return "\n".join(lines) + "\n"


def _anywhere(field: ReferenceField) -> ReferenceField:
    """What two tables may share of a field: all but its default."""
    return replace(field, table="", default=None)


def _shown(field: ReferenceField) -> str:
    return field.name if field.default is None else f"{field.name} = {field.default}"


def _line(field: ReferenceField, kind: str) -> str:
    """An entry of the page. A default shows whether a value is a text, a number or a boolean."""
    if field.default is not None:
        kind = _OF_A_DEFAULT.sub("", kind)
        values = re.findall(r"`([^`]+)`", kind)
        if kind.startswith("list of") and values and all(value in field.default for value in values):
            kind = kind.rpartition("`")[2].removeprefix(", ")
    notes = "; ".join(note for note in (kind, "required" if field.required else "") if note)
    return f"- `{_shown(field)}`" + (f" ({notes})" if notes else "") + f": {field.description}"


def _fields(model: type[BaseModel], table: str) -> Iterator[ReferenceField]:
    inner: list[tuple[type[BaseModel], str]] = []
    for name, info in model.model_fields.items():
        if _KIND in table and name == "kind":
            # It is in the heading.
            continue
        dotted = f"{table}.{name}" if table else name
        parts = _parts(info.annotation)
        nested = next(
            (part for part in parts if isinstance(part, type) and issubclass(part, BaseModel)), None
        )
        if nested is not None and len(parts) == 1:
            inner.append((nested, dotted))
            continue
        yield ReferenceField(
            table=table,
            name=name,
            kind=_kind(info),
            default=_default(info),
            required=info.is_required(),
            description=" ".join((info.description or "").split()).replace("``", "`"),
        )
        if nested is not None:
            inner.append((nested, dotted))
        items = _item_tables(info.annotation)
        if len(items) > 1:
            inner += [(item, f"[{dotted}]{_KIND}{_kind_of(item)}") for item in items]
        else:
            inner += [(item, f"{dotted}.<name>" if _is_mapping(info) else f"[{dotted}]") for item in items]
    for nested, group in groupby(inner, key=itemgetter(0)):
        names = [dotted for _, dotted in group]
        if "<name>" in table and any(_KIND in name for name in names):
            # The same kinds are described where the server's own entries are.
            continue
        yield from _fields(nested, names[0] if len(names) == 1 else _shared_name(names))


def _shared_name(names: Sequence[str]) -> str:
    """Return the common name of sibling tables with one schema: ``a.<b, c>``."""
    parents = {name.rpartition(".")[0] for name in names}
    if len(parents) != 1:
        raise ValueError(f"tables of one schema lie in different ones: {names}")
    return f"{parents.pop()}.<{', '.join(name.rpartition('.')[2] for name in names)}>"


def _parts(annotation: Any) -> tuple[Any, ...]:
    """Return the alternatives of a union, or the one type, without annotations."""
    if get_origin(annotation) is Annotated:
        return _parts(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(part for each in get_args(annotation) for part in _parts(each))
    return (annotation,)


def _item_tables(annotation: Any) -> list[type[BaseModel]]:
    """Return the tables that are the item types of a list or a mapping."""
    return [
        item
        for part in _parts(annotation)
        for argument in get_args(part)
        for item in _parts(argument)
        if _is_table(item)
    ]


def _kind_of(table: type[BaseModel]) -> str:
    """Return the value of ``kind`` that selects a table among several."""
    (kind,) = get_args(table.model_fields["kind"].annotation)
    return str(kind)


def _heading(table: str) -> str:
    name, _, kind = table.partition(_KIND)
    if kind:
        return f'`[{name}]` with `kind = "{kind}"`'
    return f"`[{name}]`" if name else "At the top"


def _is_table(part: Any) -> TypeIs[type[BaseModel]]:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _is_mapping(info: FieldInfo) -> bool:
    return any(get_origin(part) is dict for part in _parts(info.annotation))


def _kind(info: FieldInfo) -> str:
    words = " or ".join(_word(part) for part in _parts(info.annotation) if part is not NoneType)
    bounds = [
        f"{word} {_number(getattr(mark, attribute))}"
        for kind, attribute, word in _BOUNDS
        for mark in info.metadata
        if isinstance(mark, kind)
    ]
    if len(bounds) == 2 and bounds[0].startswith("at least ") and bounds[1].startswith("at most "):
        bounds = [" to ".join(bound.split()[-1] for bound in bounds)]
    unit = "entries" if words.startswith("list") else "characters"
    least = [f"{mark.min_length} to" for mark in info.metadata if isinstance(mark, MinLen)]
    most = [f"{mark.max_length:,} {unit}" for mark in info.metadata if isinstance(mark, MaxLen)]
    if least and most:
        bounds += [f"{least[0]} {most[0]}"]
    else:
        bounds += [f"{part.removesuffix(' to')} or more {unit}" for part in least]
        bounds += [f"at most {part}" for part in most]
    return ", ".join([words, *bounds])


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _word(part: Any) -> str:
    origin, arguments = get_origin(part), get_args(part)
    if origin is Literal:
        return ", ".join(f"`{json.dumps(value)}`" for value in arguments)
    if origin in {tuple, list, frozenset, set}:
        item = " or ".join(dict.fromkeys(_word(each) for each in _parts(arguments[0])))
        return f"list of {item}"
    if origin is dict:
        return "tables by name"
    if isinstance(part, type) and issubclass(part, Enum):
        return ", ".join(f'`"{member.value}"`' for member in part)
    if _is_table(part):
        return "table"
    return _NAMES.get(part, "text")


def _default(info: FieldInfo) -> str | None:
    value = info.default
    if value is PydanticUndefined or value is None or isinstance(value, BaseModel):
        return None
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, tuple | list | frozenset | set):
        value = sorted(value) if isinstance(value, frozenset | set) else list(value)
    if isinstance(value, Path):
        value = str(value)
    return json.dumps(value)


if __name__ == "__main__":
    (REFERENCE / "settings.md").write_text(settings_page(), encoding="utf-8")
    (REFERENCE / "policies.md").write_text(policies_page(), encoding="utf-8")
    schema = REFERENCE.parents[1] / "server" / "policies" / "policy.schema.json"
    schema.write_text(render_schema(), encoding="utf-8")

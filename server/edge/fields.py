"""Fields of messages: the conversions that every codec shares, and the tests of what a request states."""

import dataclasses
import uuid
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from server.base.errors import invalid_field

_Message = TypeVar("_Message", bound=Message)
_Value = TypeVar("_Value")
_Member = TypeVar("_Member", bound=Enum)


def message_of(
    kind: type[_Message], source: object, /, *, only: Collection[str] | None = None, **own: Any
) -> _Message:
    """Make a message whose fields are the attributes of the same names of ``source``.

    Times, days, identifiers and members of enumerations become what the wire has for them; ``None`` leaves a
    field out.

    Args:
        source: What has the attributes.
        only: The fields that the receiver may see; ``None`` for all. The others are left out, also those
            that the contract gets later.
        own: Fields whose values are these instead.
    """
    for field in kind.DESCRIPTOR.fields:
        name = field.name
        seen = only is None or name in only
        own[name] = _wired(field, own[name] if name in own else getattr(source, name)) if seen else None
    return kind(**own)


def value_of(kind: type[_Value], message: Message, /, **own: Any) -> _Value:
    """Make a data class whose fields are those of the same names of ``message``.

    Args:
        message: What has the fields.
        own: Fields of the class whose values are these instead.
    """
    names = (field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]  # a data class
    return kind(**{name: getattr(message, name) for name in names if name not in own}, **own)


def _wired(field: Any, value: Any) -> Any:
    match value:
        case datetime():
            return timestamp(value)
        case date():
            return value.isoformat()
        case uuid.UUID():
            return str(value)
        case tuple() if field.enum_type is not None:
            return [number_of(field.enum_type, one) for one in value]
        case str() if field.enum_type is not None:
            return number_of(field.enum_type, value)
    return value


def number_of(wire: Any, name: str) -> Any:
    """Return a value of an enumeration by its name without the prefix.

    Args:
        wire: The enumeration, or its descriptor.
    """
    descriptor = getattr(wire, "DESCRIPTOR", wire)
    prefix = descriptor.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return descriptor.values_by_name[prefix + name].number


def name_of(wire: Any, value: int) -> str:
    """Return the name of a value of an enumeration without the prefix; that of 0 if the value is unknown."""
    values = wire.DESCRIPTOR.values_by_number
    prefix: str = values[0].name.removesuffix("UNSPECIFIED")
    name: str = values[value if value in values else 0].name
    return name.removeprefix(prefix)


def member_of(kind: type[_Member], wire: Any, value: int) -> _Member | None:
    """Return the member of ``kind`` with the name of the wire's value; ``None`` if there is none."""
    return kind.__members__.get(name_of(wire, value))


def stated_member(kind: type[_Member], wire: Any, value: int, field: str) -> _Member | None:
    """Return the member of ``kind`` that a request states; ``None`` if it states none.

    Raises:
        Refusal: The value is unknown to this server (INVALID_FIELD).
    """
    found = member_of(kind, wire, value)
    if found is None and value != 0:
        raise invalid_field(field, f"{field} is unknown to this server")
    return found


def demanded_member(kind: type[_Member], wire: Any, value: int, field: str) -> _Member:
    """Return the member of ``kind`` that a request must state.

    Raises:
        Refusal: It states none, or one that is unknown to this server (INVALID_FIELD).
    """
    found = stated_member(kind, wire, value, field)
    if found is None:
        raise invalid_field(field, f"{field} is not stated; it is one of {', '.join(kind.__members__)}")
    return found


def stated_time(request: Any, field: str) -> datetime | None:
    """Return the time of a field in UTC; ``None`` if the request states none.

    Raises:
        Refusal: It is not a time between the years 1 and 9999, with a day to spare (INVALID_FIELD).
    """
    if not request.HasField(field):
        return None
    try:
        time: datetime = getattr(request, field).ToDatetime(UTC)
        # Pages and filters add and subtract less than a day.
        time + timedelta(days=1), time - timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise invalid_field(field, f"{field} is not a time between the years 1 and 9999") from error
    return time


def page_size(request: Any, *, usual: int = 50, most: int = 200) -> int:
    """Return the requested number of entries on a page, or the usual one if the request states none.

    Raises:
        Refusal: It is too large (INVALID_FIELD).
    """
    size: int = request.page_size
    if size > most:
        raise invalid_field(
            "page_size", f"page_size is {size}; at most {most} are allowed", value=size, maxValue=most
        )
    return size or usual


def check_id_of(text: str, *, field: str = "check_id") -> uuid.UUID:
    """Parse the identifier of a check.

    Raises:
        Refusal: It is not a UUID (INVALID_FIELD).
    """
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise invalid_field(field, f"{field} is not a UUID") from error


def duration(seconds: float) -> Duration:
    """Convert seconds to a protobuf duration, rounded to milliseconds."""
    value = Duration()
    value.FromMilliseconds(round(seconds * 1000))
    return value


def timestamp(moment: datetime) -> Timestamp:
    """Convert a time to a protobuf timestamp."""
    value = Timestamp()
    value.FromDatetime(moment)
    return value

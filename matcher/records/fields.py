"""Reads fields of a record within bounds, and writes them with checks."""

import struct

from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused

__all__ = ["need", "pack", "record_malformed"]


def record_malformed(
    format_: str, what: str, *, field: str | None = None, offset: int | None = None
) -> TrustedImageRefused:
    """Makes the refusal of a record with lengths or a structure that do not hold.

    Args:
        format_: The format that the record claims.
        what: The error in words, with its numbers.
        field: The field that does not hold.
        offset: Its position, bytes from the start of the record.
    """
    details: dict[str, str | int | float] = {"format": format_}
    if field is not None:
        details["field"] = field
    if offset is not None:
        details["offset"] = offset
    return TrustedImageRefused(
        RefusalReason.RECORD_MALFORMED,
        f"{format_}: {what}. Read the record from its source again, or send the image itself.",
        details=details,
    )


def need(size: int, offset: int, count: int, *, format_: str, field: str) -> None:
    """Makes sure that ``count`` bytes from ``offset`` lie within ``size``.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED.
    """
    if offset + count > size:
        what = f"the {field} needs {count} bytes at byte {offset}, and {max(0, size - offset)} are left"
        raise record_malformed(format_, what, field=field, offset=offset)


def pack(layout: struct.Struct, values: tuple[int | bytes, ...], *, what: str) -> bytes:
    """Writes fields.

    Raises:
        RecordInvalid: A value does not fit its field.
    """
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise RecordInvalid(f"a value does not fit its field in the {what}: {error}") from error

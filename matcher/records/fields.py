"""Tests that fields lie within a record, makes the refusals of records, and packs values into fields."""

import struct

from matcher.errors import RecordInvalid, RefusalReason, TrustedImageRefused


def record_malformed(
    format_: str, what: str, *, field: str | None = None, offset: int | None = None
) -> TrustedImageRefused:
    """Return the refusal of a record whose lengths or structure are wrong.

    ``what`` states the error in words, with its numbers; ``offset`` is in bytes from the start of the record.
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


def require_field(size: int, offset: int, count: int, *, format_: str, field: str) -> None:
    """Test that a field of ``count`` bytes at ``offset`` lies within a record of ``size`` bytes.

    Raises:
        TrustedImageRefused: RECORD_MALFORMED: It does not.
    """
    if offset + count > size:
        what = f"the {field} needs {count} bytes at byte {offset}, and {max(0, size - offset)} are left"
        raise record_malformed(format_, what, field=field, offset=offset)


def pack(layout: struct.Struct, values: tuple[int | bytes, ...], *, what: str) -> bytes:
    """Pack values into the fields of a layout.

    Raises:
        RecordInvalid: A value does not fit its field.
    """
    try:
        return layout.pack(*values)
    except struct.error as error:
        raise RecordInvalid(f"a value does not fit its field in the {what}: {error}") from error

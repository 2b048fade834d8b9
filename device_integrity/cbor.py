"""A strict, bounded reader of CBOR from outside (RFC 8949).

Attestation objects, COSE keys and certificate extensions need little of CBOR: integers, byte and text
strings, arrays, maps, true, false and null, all of definite length. The reader refuses everything else before
it builds a value: tags (and with them shared references, big numbers and dates), floats, other simple values,
indefinite lengths, deep nesting, and lengths that exceed the data. ``cbor2`` then builds the values.
"""

from typing import Final, NamedTuple, TypeAlias

import cbor2

from device_integrity.errors import CborMalformed

CborKey: TypeAlias = "int | str | bytes"
"""The type of a map's key."""
CborValue: TypeAlias = "int | bytes | str | bool | list[CborValue] | dict[CborKey, CborValue] | None"
"""The type of an item."""
CborMap: TypeAlias = "dict[CborKey, CborValue]"
"""A map."""

_MAX_DEPTH: Final = 8
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(7)
_KEY_KINDS: Final = (_UNSIGNED, _NEGATIVE, _BYTES, _TEXT)
_ONE_BYTE, _EIGHT_BYTES = 24, 27
_FALSE_TRUE_NULL: Final = (20, 21, 22)


class _Head(NamedTuple):
    major: int
    argument: int
    end: int


def decode_cbor(data: bytes, *, max_bytes: int, max_depth: int = _MAX_DEPTH) -> CborValue:
    """Decode one CBOR item.

    Args:
        data: Exactly one item.
        max_bytes: Maximum length of ``data``.
        max_depth: Maximum nesting of arrays and maps; 0 allows none.

    Raises:
        CborMalformed: ``data`` is too long or is not exactly one item, it contains a kind of item that the
            reader refuses (see the module) or text that is not UTF-8, or a map has a key twice.
    """
    if len(data) > max_bytes:
        raise CborMalformed(f"the CBOR data has {len(data)} bytes; at most {max_bytes} are accepted")
    end = item_end(data, max_depth=max_depth)
    if end != len(data):
        raise CborMalformed(f"{len(data) - end} bytes follow the CBOR item")
    try:
        value: CborValue = cbor2.loads(
            data, max_depth=max_depth + 1, allow_indefinite=False, allow_duplicate_keys=False
        )
    except (cbor2.CBORError, ValueError, OverflowError) as error:
        raise CborMalformed("not CBOR: a text is not UTF-8, or a map has a key twice") from error
    return value


def item_end(data: bytes, *, max_depth: int = _MAX_DEPTH) -> int:
    """Return the position after the first item, without building its value.

    Further bytes after the item are no error.

    Raises:
        CborMalformed: The item ends beyond ``data``, is nested too deep, or is of a kind that the reader
            refuses (see the module). Text and repeated keys are not verified.
    """
    # The number of items that each open array or map still lacks.
    open_items = [1]
    in_map = [False]
    position = 0
    while open_items:
        if not open_items[-1]:
            open_items.pop()
            in_map.pop()
            continue
        is_key = in_map[-1] and open_items[-1] % 2 == 0
        open_items[-1] -= 1
        head = _head(data, position)
        position = head.end
        if is_key and head.major not in _KEY_KINDS:
            raise CborMalformed("a CBOR map's key is neither an integer nor a string")
        if head.major in (_BYTES, _TEXT):
            position += head.argument
        elif head.major in (_ARRAY, _MAP):
            if len(open_items) > max_depth:
                raise CborMalformed(f"CBOR arrays and maps are nested deeper than {max_depth}")
            count = head.argument * (2 if head.major == _MAP else 1)
            # Every item has at least one byte, so a count beyond the data is refused without reading on.
            if count > len(data) - position:
                raise CborMalformed("a CBOR array or map is longer than the data")
            open_items.append(count)
            in_map.append(head.major == _MAP)
        if position > len(data):
            raise CborMalformed("a CBOR string is longer than the data")
    return position


def take_map(value: CborValue, what: str) -> CborMap:
    """Return ``value``, which has to be a map.

    Raises:
        CborMalformed: It is not a map; ``what`` names it in the message.
    """
    if not isinstance(value, dict):
        raise CborMalformed(f"{what} is not a map")
    return value


def whole_map(value: CborValue, keys: frozenset[CborKey], what: str) -> CborMap:
    """Return ``value``, which has to be a map with exactly these keys.

    Raises:
        CborMalformed: It is not a map, lacks a key or has another one; ``what`` names it in the message.
    """
    found = take_map(value, what)
    if found.keys() != keys:
        raise CborMalformed(f"{what} has to have the keys {sorted(map(str, keys))} and no others")
    return found


def take_bytes(value: CborValue, what: str, *, size: int | None = None) -> bytes:
    """Return ``value``, which has to be a byte string, of ``size`` bytes if that is given.

    Raises:
        CborMalformed: It is not a byte string, or has another length; ``what`` names it in the message.
    """
    if not isinstance(value, bytes):
        raise CborMalformed(f"{what} is not a byte string")
    if size is not None and len(value) != size:
        raise CborMalformed(f"{what} has {len(value)} bytes instead of {size}")
    return value


def take_text(value: CborValue, what: str) -> str:
    """Return ``value``, which has to be a text string.

    Raises:
        CborMalformed: It is not a text string; ``what`` names it in the message.
    """
    if not isinstance(value, str):
        raise CborMalformed(f"{what} is not a text string")
    return value


def take_int(value: CborValue, what: str) -> int:
    """Return ``value``, which has to be an integer (true and false are not).

    Raises:
        CborMalformed: It is not an integer; ``what`` names it in the message.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise CborMalformed(f"{what} is not an integer")
    return value


def take_list(value: CborValue, what: str, *, size: int | None = None) -> list[CborValue]:
    """Return ``value``, which has to be an array, of ``size`` items if that is given.

    Raises:
        CborMalformed: It is not an array, or has another length; ``what`` names it in the message.
    """
    if not isinstance(value, list):
        raise CborMalformed(f"{what} is not an array")
    if size is not None and len(value) != size:
        raise CborMalformed(f"{what} has {len(value)} items instead of {size}")
    return value


def _head(data: bytes, position: int) -> _Head:
    """Read the initial byte of an item and its argument (RFC 8949 section 3)."""
    if position >= len(data):
        raise CborMalformed("CBOR data ends inside an item")
    major, info = data[position] >> 5, data[position] & 0x1F
    if major == _TAG:
        raise CborMalformed("the CBOR data has a tag, which evidence never contains")
    if major > _TAG:
        if info not in _FALSE_TRUE_NULL:
            raise CborMalformed(
                "the CBOR data has a float, or a simple value other than true, false and null"
            )
        return _Head(major, 0, position + 1)
    if info < _ONE_BYTE:
        return _Head(major, info, position + 1)
    if info > _EIGHT_BYTES:
        raise CborMalformed("a CBOR item has an indefinite length or a reserved form")
    end = position + 1 + (1 << info - _ONE_BYTE)
    if end > len(data):
        raise CborMalformed("CBOR data ends inside an item")
    return _Head(major, int.from_bytes(data[position + 1 : end], "big"), end)

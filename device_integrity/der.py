"""A small bounded reader of ASN.1 in DER, and of BER for platforms that write it (ITU-T X.690).

It reads evidence of devices: Android's KeyDescription with its high tag numbers and its occasional BER
booleans, Apple's extensions, and Apple's receipts with indefinite lengths. It reads elements and a few
value types; the caller interprets them. Every limit is tested before memory is allocated: bytes, depth,
elements at one level, octets of a number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from device_integrity.der_heads import Encoding, Tag, TagClass, Universal, read_head
from device_integrity.errors import DerMalformed

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_ELEMENTS",
    "Boolean",
    "Element",
    "Encoding",
    "Tag",
    "TagClass",
    "Universal",
    "read",
    "read_prefix",
]

MAX_BYTES: Final = 64 * 1024
"""Maximum number of bytes; evidence of a device is smaller."""
MAX_DEPTH: Final = 16
"""Maximum nesting; a certificate has about 8 levels."""
MAX_ELEMENTS: Final = 1024
"""Maximum number of elements within one element."""

_MORE: Final = 0x80
_MAX_INTEGER_OCTETS: Final = 64
_MAX_ARC_OCTETS: Final = 9
_MAX_ARCS: Final = 32
_DER_TRUE: Final = 0xFF


@dataclass(frozen=True, slots=True)
class Boolean:
    """A BOOLEAN and whether its encoding is DER.

    Attributes:
        value: True for every octet except 0.
        canonical: Whether the octet is 0x00 or 0xFF, as DER demands (X.690 11.1).
    """

    value: bool
    canonical: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element: a tag and its content.

    Attributes:
        tag: Its tag.
        constructed: Whether it consists of other elements.
        content: Its content octets, without those that end an indefinite length.
        encoded: The octets of the whole element.
        encoding: The encoding that was accepted.
        depth: The number of elements that enclose it.
    """

    tag: Tag
    constructed: bool
    content: bytes = field(repr=False)
    encoded: bytes = field(repr=False)
    encoding: Encoding
    depth: int

    def is_universal(self, number: Universal) -> bool:
        """Returns whether its tag is the universal one of this number."""
        return self.tag.tag_class is TagClass.UNIVERSAL and self.tag.number == number

    def children(self) -> tuple["Element", ...]:
        """Returns the elements that this one consists of.

        Raises:
            DerMalformed: It is primitive, one of them is malformed, or they are too many or too deep.
        """
        return tuple(self.iter_children())

    def iter_children(self) -> Iterator["Element"]:
        """Iterates over the children, and reads each one only when the caller requests it.

        Raises:
            DerMalformed: As for ``children``.
        """
        if not self.constructed:
            raise DerMalformed(f"{self.tag} is primitive and holds no elements")
        return _elements(self.content, self.encoding, self.depth + 1)

    def require_tag(self, number: Universal) -> "Element":
        """Returns this element if it has the universal tag ``number`` and the form of that type.

        A SEQUENCE and a SET are constructed, all other types primitive. BER allows both forms for a string.

        Raises:
            DerMalformed: It has another tag or form.
        """
        if not self.is_universal(number):
            raise DerMalformed(f"{number.name} expected, {self.tag} found")
        in_pieces = self.encoding is Encoding.BER and number in _STRINGS
        if self.constructed != (number in _COLLECTIONS) and not in_pieces:
            raise DerMalformed(f"{self.tag} is {'constructed' if self.constructed else 'primitive'}")
        return self

    def sequence(self) -> tuple["Element", ...]:
        """Returns the elements of a SEQUENCE.

        Raises:
            DerMalformed: It is not a SEQUENCE, or as for ``children``.
        """
        return self.require_tag(Universal.SEQUENCE).children()

    def set_of(self) -> tuple["Element", ...]:
        """Returns the elements of a SET in their encoded order, which is not verified.

        Raises:
            DerMalformed: It is not a SET, or as for ``children``.
        """
        return self.require_tag(Universal.SET).children()

    def explicit(self) -> "Element":
        """Returns the one element within an explicit tag.

        Raises:
            DerMalformed: It holds no element or several, or a malformed one.
        """
        inner = self.children()
        if len(inner) != 1:
            raise DerMalformed(f"{self.tag} holds {len(inner)} elements, 1 expected")
        return inner[0]

    def boolean(self) -> Boolean:
        """Returns a BOOLEAN; octets other than 0x00 and 0xFF are read as in BER, and marked.

        Raises:
            DerMalformed: It is not a BOOLEAN, or not one octet.
        """
        content = self.require_tag(Universal.BOOLEAN).content
        if len(content) != 1:
            raise DerMalformed(f"a BOOLEAN has {len(content)} octets, 1 expected")
        return Boolean(value=content[0] != 0, canonical=content[0] in (0, _DER_TRUE))

    def integer(self) -> int:
        """Returns an INTEGER in two's complement, of at most 64 octets.

        Raises:
            DerMalformed: It is not an INTEGER, empty, too long, or not in the fewest octets.
        """
        return _integer(self.require_tag(Universal.INTEGER))

    def enumerated(self) -> int:
        """Returns the number of an ENUMERATED.

        Raises:
            DerMalformed: It is not an ENUMERATED, or as for ``integer``.
        """
        return _integer(self.require_tag(Universal.ENUMERATED))

    def octets(self) -> bytes:
        """Returns the octets of an OCTET STRING, joined if BER encodes it in pieces.

        Raises:
            DerMalformed: It, or a piece of it, is not an OCTET STRING.
        """
        return _joined(self.require_tag(Universal.OCTET_STRING), Universal.OCTET_STRING)

    def bits(self) -> bytes:
        """Returns the octets of a BIT STRING whose bits fill whole octets.

        Raises:
            DerMalformed: It is not a BIT STRING, is in pieces, or has unused bits.
        """
        content = self.require_tag(Universal.BIT_STRING).content
        if self.constructed or not content or content[0] != 0:
            raise DerMalformed("a BIT STRING of whole octets in one piece expected")
        return content[1:]

    def text(self) -> str:
        """Returns the text of a UTF8String, PrintableString or IA5String.

        Raises:
            DerMalformed: It is none of these, is in pieces, or is not in its alphabet.
        """
        ascii_only = self.is_universal(Universal.IA5_STRING) or self.is_universal(Universal.PRINTABLE_STRING)
        if not (ascii_only or self.is_universal(Universal.UTF8_STRING)) or self.constructed:
            raise DerMalformed(f"a string in one piece expected, {self.tag} found")
        try:
            return self.content.decode("ascii" if ascii_only else "utf-8")
        except UnicodeDecodeError as error:
            raise DerMalformed(f"{self.tag} is not in its alphabet") from error

    def null(self) -> None:
        """Verifies that this is a NULL.

        Raises:
            DerMalformed: It is not a NULL, or has content.
        """
        if self.require_tag(Universal.NULL).content:
            raise DerMalformed("a NULL has content")

    def object_identifier(self) -> str:
        """Returns an OBJECT IDENTIFIER in dotted form, of at most 32 arcs.

        Raises:
            DerMalformed: It is not an OBJECT IDENTIFIER, or not well formed.
        """
        return _dotted(self.require_tag(Universal.OBJECT_IDENTIFIER).content)


_COLLECTIONS: Final = frozenset({Universal.SEQUENCE, Universal.SET})
_STRINGS: Final = frozenset({Universal.OCTET_STRING, Universal.BIT_STRING})


def read(data: bytes, *, encoding: Encoding = Encoding.DER, max_bytes: int = MAX_BYTES) -> Element:
    """Reads the one element that ``data`` consists of.

    Args:
        data: Exactly one element.
        encoding: The accepted encoding.
        max_bytes: Maximum length of ``data``.

    Raises:
        DerMalformed: ``data`` is longer than ``max_bytes``, or is not exactly one element.
    """
    element, rest = read_prefix(data, encoding=encoding, max_bytes=max_bytes)
    if rest:
        raise DerMalformed(f"{rest} bytes follow the element")
    return element


def read_prefix(
    data: bytes, *, encoding: Encoding = Encoding.DER, max_bytes: int = MAX_BYTES
) -> tuple[Element, int]:
    """Reads the element that ``data`` begins with, and returns it with the number of bytes after it.

    Raises:
        DerMalformed: ``data`` is longer than ``max_bytes``, empty, or does not begin with an element.
    """
    if len(data) > max_bytes:
        raise DerMalformed(f"the ASN.1 data has {len(data)} bytes; at most {max_bytes} are accepted")
    element = _element(data, 0, len(data), encoding, 0)
    return element, len(data) - len(element.encoded)


def _elements(data: bytes, encoding: Encoding, depth: int) -> Iterator[Element]:
    position, count = 0, 0
    while position < len(data):
        if count == MAX_ELEMENTS:
            raise DerMalformed(f"more than {MAX_ELEMENTS} elements at one level")
        element = _element(data, position, len(data), encoding, depth)
        yield element
        position, count = position + len(element.encoded), count + 1


def _element(data: bytes, position: int, end: int, encoding: Encoding, depth: int) -> Element:
    if depth > MAX_DEPTH:
        raise DerMalformed(f"nested deeper than {MAX_DEPTH} levels")
    head = read_head(data, position, end, encoding)
    if head.length is None:
        content_end = _end_of_contents(data, head.start, end, encoding, depth + 1)
        after = content_end + 2
    else:
        content_end = after = head.start + head.length
    return Element(
        tag=head.tag,
        constructed=head.constructed,
        content=data[head.start : content_end],
        encoded=data[position:after],
        encoding=encoding,
        depth=depth,
    )


def _end_of_contents(data: bytes, position: int, end: int, encoding: Encoding, depth: int) -> int:
    """Returns the position of the end-of-contents octets.

    The content of the element of indefinite length begins at ``position``.
    """
    if depth > MAX_DEPTH:
        raise DerMalformed(f"nested deeper than {MAX_DEPTH} levels")
    for _ in range(MAX_ELEMENTS + 1):
        if data[position : min(position + 2, end)] == b"\0\0":
            return position
        head = read_head(data, position, end, encoding)
        if head.length is None:
            position = _end_of_contents(data, head.start, end, encoding, depth + 1) + 2
        else:
            position = head.start + head.length
    raise DerMalformed(f"more than {MAX_ELEMENTS} elements at one level")


def _integer(element: Element) -> int:
    content = element.content
    if not 0 < len(content) <= _MAX_INTEGER_OCTETS:
        raise DerMalformed(f"{element.tag} has {len(content)} octets, 1 to {_MAX_INTEGER_OCTETS} expected")
    if len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1)):
        raise DerMalformed(f"{element.tag} is not in the fewest octets")
    return int.from_bytes(content, "big", signed=True)


def _joined(element: Element, number: Universal) -> bytes:
    if not element.constructed:
        return element.content
    return b"".join(_joined(piece.require_tag(number), number) for piece in element.children())


def _dotted(content: bytes) -> str:
    arcs: list[int] = []
    arc, octets = 0, 0
    for octet in content:
        if octets == 0 and octet == _MORE:
            raise DerMalformed("an arc is not in the fewest octets")
        arc, octets = arc << 7 | octet & ~_MORE, octets + 1
        if octets > _MAX_ARC_OCTETS or len(arcs) == _MAX_ARCS:
            raise DerMalformed("an OBJECT IDENTIFIER is too long")
        if not octet & _MORE:
            arcs.append(arc)
            arc, octets = 0, 0
    if octets or not arcs:
        raise DerMalformed("an OBJECT IDENTIFIER is cut off")
    root = min(arcs[0] // 40, 2)
    return ".".join(map(str, (root, arcs[0] - 40 * root, *arcs[1:])))

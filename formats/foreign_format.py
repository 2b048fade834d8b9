"""Names files that are no picture that is read here, and what to send instead.

People send what their phone, their browser or another system gave them: HEIC, base64, gzip, CBEFF. Only the
first bytes are read, and nothing is unpacked. Whoever refuses the file says what it is.

Sources: ISO/IEC 23008-12 and AVIF 1.1 (brands); RFC 1952 (gzip); ISO/IEC 19785-3 (CBEFF XML, as MOSIP writes
it); NIST SP 800-73-4, appendix A, and SP 800-76-2, table 11 (PIV); the first bytes of the other formats.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Final

from formats.image_header import detect_format

_HEAD: Final = 4096
_AVIF: Final = frozenset({b"avif", b"avis"})
_HEIC: Final = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})
_ISO_PICTURE: Final = frozenset({b"mif1", b"mif2", b"msf1", b"miaf"})
_MOST_BRANDS: Final = 64
_BASE64: Final = re.compile(rb"[A-Za-z0-9+/_-]{16,}={0,2}")
_DATA_URL: Final = re.compile(rb"\s*data:[\w.+/-]*(;[\w=.-]+)*;base64,", re.IGNORECASE)
_BIR: Final = re.compile(rb"<(\w+:)?(BIR|BIRs|cbeff)[\s>]")
_DER_LENGTH: Final = rb"(?:[\x00-\x7f]|\x81.|\x82..|\x83...)"
_PIV: Final = re.compile(rb"(\x53" + _DER_LENGTH + rb")?\xbc" + _DER_LENGTH + rb"\x03[\x0d\x0f]", re.DOTALL)
_CBEFF: Final = re.compile(rb"\x03[\x0d\x0f].{6}\x00\x1b[\x02\x05]\x01", re.DOTALL)
_CONVERT: Final = "convert it to JPEG or PNG, and send that"
_UNPACK: Final = "unpack it, and send the picture in it"


@dataclass(frozen=True, slots=True)
class ForeignFormat:
    """What a file is.

    Attributes:
        name: Its format, for programs, such as ``HEIC``.
        what: The same in words that continue "this is".
        instead: What to do, as an instruction without a full stop.
    """

    name: str
    what: str
    instead: str


_HEIC_PICTURE: Final = ForeignFormat(
    "HEIC",
    "a HEIC picture, as iPhones take them",
    "send a JPEG: export it as JPEG, or set the camera to its most compatible format",
)
_RAW_PICTURE: Final = ForeignFormat("CR3", "a camera's raw picture", _CONVERT)
_AVIF_PICTURE: Final = ForeignFormat("AVIF", "an AVIF picture", _CONVERT)
_PIV_OBJECT: Final = ForeignFormat(
    "PIV",
    "a biometric object of a PIV card (CBEFF of SP 800-76)",
    "send the facial record in it, which begins with the letters FAC, or its picture",
)
_STARTS: Final = (
    (b"\x1f\x8b", ForeignFormat("gzip", "compressed with gzip", _UNPACK)),
    (b"PK\x03\x04", ForeignFormat("ZIP", "a ZIP archive", _UNPACK)),
    (b"BZh", ForeignFormat("bzip2", "compressed with bzip2", _UNPACK)),
    (b"\xfd7zXZ\x00", ForeignFormat("xz", "compressed with xz", _UNPACK)),
    (b"\x28\xb5\x2f\xfd", ForeignFormat("Zstandard", "compressed with Zstandard", _UNPACK)),
    (b"GIF8", ForeignFormat("GIF", "a GIF picture", _CONVERT)),
    (b"II*\x00", ForeignFormat("TIFF", "a TIFF or a camera's raw picture", _CONVERT)),
    (b"MM\x00*", ForeignFormat("TIFF", "a TIFF or a camera's raw picture", _CONVERT)),
    (b"\xff\x0a", ForeignFormat("JPEG XL", "a JPEG XL picture", _CONVERT)),
    (b"\x00\x00\x00\x0cJXL ", ForeignFormat("JPEG XL", "a JPEG XL picture", _CONVERT)),
    (b"8BPS", ForeignFormat("PSD", "a Photoshop document", _CONVERT)),
    (b"%PDF", ForeignFormat("PDF", "a PDF document", "send the picture in it as JPEG or PNG")),
    (b"\x1a\x45\xdf\xa3", ForeignFormat("Matroska", "a video (WebM or MKV)", "send a still picture")),
)


def is_iso_picture(data: bytes) -> bool:
    """Whether the file is a still picture in the container of MP4: HEIC, AVIF, a camera's raw picture."""
    return _iso_picture(data) is not None


def recognise_foreign(data: bytes) -> ForeignFormat | None:
    """Return what a file is that is no ``ImageFormat``; ``None`` if that is unknown.

    Args:
        data: The file; at most its first 4096 bytes are read.
    """
    head = data[:_HEAD]
    found = _iso_picture(head) or next((found for start, found in _STARTS if head.startswith(start)), None)
    if found is not None:
        return found
    if head[4:8] == b"ftyp":
        return ForeignFormat("MP4", "a video (MP4 or MOV)", "send a still picture")
    if _PIV.match(head) or _CBEFF.match(head):
        return _PIV_OBJECT
    return _text(head)


def _iso_picture(data: bytes) -> ForeignFormat | None:
    if data[4:8] != b"ftyp":
        return None
    end = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MOST_BRANDS)
    major, others = data[8:12], {data[at : at + 4] for at in range(16, end, 4)}
    if major in _AVIF or (major in _ISO_PICTURE and others & _AVIF):
        return _AVIF_PICTURE
    if major == b"crx ":
        return _RAW_PICTURE
    return _HEIC_PICTURE if major in _HEIC | _ISO_PICTURE else None


def _text(head: bytes) -> ForeignFormat | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"<"):
        return _markup(start)
    if start[:1] in {b"{", b"["} and b'"' in start:
        return ForeignFormat("JSON", "JSON", "send the bytes of the picture themselves, not wrapped in JSON")
    url = _DATA_URL.match(head)
    letters = b"".join((head[url.end() :] if url else head).split())
    if url is not None or _BASE64.fullmatch(letters):
        inner = _decoded(letters)
        if url is not None or inner is not None:
            return ForeignFormat(
                "base64",
                f"base64 text of {inner or 'something'}",
                "decode it, and send the bytes",
            )
    return None


def _markup(start: bytes) -> ForeignFormat:
    lower = start.lower()
    if _BIR.search(start):
        return ForeignFormat(
            "CBEFF XML",
            "CBEFF XML (biometric information records, as MOSIP keeps them)",
            "send the facial record in it: the base64 of the BDB whose type is Face, decoded",
        )
    if b"<svg" in lower:
        return ForeignFormat("SVG", "an SVG drawing", _CONVERT)
    if b"<html" in lower or b"<!doctype html" in lower:
        return ForeignFormat("HTML", "an HTML page, perhaps of an error", "send the picture, not the page")
    return ForeignFormat("XML", "XML", "send the bytes of the picture or the record in it")


def _decoded(text: bytes) -> str | None:
    """Return what base64 text holds; ``None`` if that is nothing known."""
    letters = text.translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    letters = letters[: len(letters) // 4 * 4]
    try:
        return _named(base64.b64decode(letters, validate=True))
    except binascii.Error:
        return None


def _named(data: bytes) -> str | None:
    format_ = detect_format(data)
    if format_ is not None:
        return f"a {format_.name} picture"
    if data.startswith(b"FAC\x00"):
        return "a facial record"
    foreign = _iso_picture(data) or next((found for start, found in _STARTS if data.startswith(start)), None)
    if foreign is not None:
        return f"a file that is {foreign.what}"
    return "CBEFF XML" if data.lstrip().startswith(b"<") and _BIR.search(data) else None

"""Recognises biometric records of other modalities, so that the refusal names the modality.

Sources: the format identifiers of ISO/IEC 19794-2 to -14, and ICAO Doc 9303-10 for the files of a passport.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from matcher.errors import RefusalReason, TrustedImageRefused

__all__ = ["CBEFF_FACE", "CBEFF_TYPES", "OTHER_RECORDS", "wrong_modality"]

OTHER_RECORDS: Final[Mapping[bytes, tuple[str, str]]] = MappingProxyType(
    {
        b"FMR\0": ("ISO/IEC 19794-2", "finger minutiae"),
        b"FSP\0": ("ISO/IEC 19794-3", "finger pattern spectra"),
        b"FIR\0": ("ISO/IEC 19794-4", "finger image"),
        b"IIR\0": ("ISO/IEC 19794-6", "iris image"),
        b"SDI\0": ("ISO/IEC 19794-7", "signature"),
        b"FSK\0": ("ISO/IEC 19794-8", "finger skeleton"),
        b"VIR\0": ("ISO/IEC 19794-9", "vein image"),
        b"HND\0": ("ISO/IEC 19794-10", "hand geometry"),
        b"SPD\0": ("ISO/IEC 19794-11", "signature"),
        b"VDI\0": ("ISO/IEC 19794-13", "voice"),
        b"DNA\0": ("ISO/IEC 19794-14", "DNA"),
    }
)
"""Format and modality of a record by its first four bytes."""

CBEFF_FACE: Final = 0x02
CBEFF_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {0x02: "face", 0x04: "voice", 0x08: "finger", 0x10: "iris", 0x20: "retina", 0x40: "hand geometry"}
)
"""Biometric types of a CBEFF header (ISO/IEC 7816-11, table C.2)."""


def wrong_modality(format_: str, modality: str) -> TrustedImageRefused:
    """Make the refusal of a record of another modality than the face."""
    article = "an" if modality[0] in "aeiou" else "a"
    return TrustedImageRefused(
        RefusalReason.RECORD_WRONG_MODALITY,
        f"The upload is {article} {modality} record ({format_}). Send an image or a facial record "
        "(ISO/IEC 19794-5) of the person.",
        details={"format": format_, "modality": modality},
    )

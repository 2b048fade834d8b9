"""The signal of a file's metadata, from a camera or from screen-capture and editing software."""

import re
from typing import Final

from formats.exif import ExifState, ExifTags
from liveness.selfie.settings import SelfieSettings
from liveness.selfie.subject import SelfieSubject
from liveness.signal import NamedSignal, Signal

SPOOF_KEYWORDS: Final = (
    "screenshot",
    "screen capture",
    "snipping",
    "obs",
    "bandicam",
    "photoshop",
    "gimp",
    "preview",
    "snagit",
)
"""The list of the contract, in its order."""

_IN_COMMENTS: Final = ("screenshot", "screen capture")
_SEPARATORS: Final = re.compile(r"[\s_-]+")
_OBS: Final = re.compile(r"(?<![a-z])obs(?![a-z])")
_ABSENT, _NO_CAMERA, _CAMERA, _OPTICS, _SOFTWARE = 0.50, 0.55, 0.75, 0.25, 0.10
"""The scores of the contract's table; see ``ExifMetadata``."""


class ExifMetadata(NamedSignal):
    """The contract's table: 0.50 without EXIF, 0.55 without a camera, 0.75 with one, up to 1 with optics.

    F-number, ISO, exposure time, focal length and GPS position add a fifth of the last 0.25 each. If the file
    names a program of ``SPOOF_KEYWORDS``, the score is 0.10 regardless of other data. Damaged EXIF data count
    as absent. This is weak evidence, because anyone can write EXIF data.
    """

    name = "exif_metadata"
    label = "EXIF camera metadata"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        del settings
        score, detail = _judged(subject.exif)
        return self.scored(score, detail)


def spoof_keyword(exif: ExifTags) -> str | None:
    """Returns the first of ``SPOOF_KEYWORDS`` that the file's metadata contain, in any letter case, or None.

    Spaces, hyphens, underscores or nothing may separate words. ``obs`` counts only as a separate word,
    because it is part of other words. Comments are free text, so only the keywords of screenshots count in
    them.
    """
    programs = [_plain(text) for text in exif.software]
    comment = _plain(exif.comment or "")
    for keyword in SPOOF_KEYWORDS:
        places = [*programs, comment] if keyword in _IN_COMMENTS else programs
        if any(_names(place, keyword) for place in places):
            return keyword
    return None


def _judged(exif: ExifTags) -> tuple[float, str]:
    keyword = spoof_keyword(exif)
    if keyword is not None:
        return _SOFTWARE, f'The file names screen-capture or editing software ("{keyword}").'
    if exif.state is ExifState.ABSENT:
        return _ABSENT, "The file has no EXIF data; many apps remove them."
    if exif.state is ExifState.MALFORMED:
        return _ABSENT, "The EXIF data are damaged and count as absent."
    if exif.make is None and exif.model is None:
        return _NO_CAMERA, "There are EXIF data, but they name no camera."
    optics = {
        "f-number": exif.f_number is not None,
        "ISO": exif.iso is not None,
        "exposure time": exif.exposure_seconds is not None,
        "focal length": exif.focal_length_mm is not None,
        "GPS position": exif.has_gps,
    }
    present = [name for name, there in optics.items() if there]
    if not present:
        return _CAMERA, "The EXIF data name a camera, but no optical parameters."
    score = _CAMERA + _OPTICS * len(present) / len(optics)
    return score, f"The EXIF data name a camera and hold {', '.join(present)}."


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", text.lower())


def _names(text: str, keyword: str) -> bool:
    if keyword == "obs":
        return _OBS.search(text) is not None
    return keyword in text or (" " in keyword and keyword.replace(" ", "") in text)

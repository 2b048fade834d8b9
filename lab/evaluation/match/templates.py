"""Makes templates of photos, each photo once, with all compared packs, also of degraded photos.

Photos are degraded like the portraits in identity documents, to measure how well selfies match these. A photo
is first cut and scaled as a portrait of 35 x 45 mm at 300 dpi, with upright eyes (ISO/IEC 19794-5, token
image; ICAO Doc 9303-9). Then one degradation is applied. Each is deterministic: its noise depends on the
portrait's pixels only. The strengths are assumptions, not measurements of documents, except for the size of
the JPEG 2000 file. A lower resolution of the source, or the years between two photos of a person, cannot be
simulated.
"""

import time
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from attempt import persons_of
from lab.evaluation.match.photos import FacePhoto, read_picture
from matcher import SubjectRule
from vision.errors import DecoderUnavailable, ImageError, ModelFailed
from vision.face import BgrImage, DetectedFace, Embedding
from vision.image import StillDecoder
from vision.packs import Pack

PORTRAIT_SIZE: Final = (413, 531)
"""Width and height in pixels: 35 x 45 mm at 300 dpi."""

_EYES_APART: Final = 100.0
_EYES_AT: Final = (206.0, 239.0)
_CHIP_BYTES: Final = 15_000


class Degradation(StrEnum):
    """A way in which a document degrades its portrait."""

    CROP = "crop"
    """Cut and scaled only: the part of the others that is due to the cut."""
    JP2 = "jp2-15kb"
    """JPEG 2000 of at most 15 kB, as in the chip of a passport."""
    SCAN = "scan-300dpi"
    """Printed with dots and background lines, slightly turned, scanned at 300 dpi, JPEG."""
    GREY = "grey"
    """Without colour."""
    FADED = "faded"
    """An old print: less contrast and colour, and the resolution of half the pixels."""


def portrait_of(image: BgrImage, face: DetectedFace) -> BgrImage:
    """Return a photo cut, turned and scaled as a portrait of ``PORTRAIT_SIZE``.

    Args:
        face: The face in it. Beyond the photo, its edge is repeated.
    """
    left, right = face.five_points[:2].astype(np.float64)
    across = right - left
    scale = _EYES_APART / max(float(np.hypot(*across)), 1.0)
    cosine, sine = scale * across / max(float(np.hypot(*across)), 1.0)
    turn = np.array([[cosine, sine], [-sine, cosine]])
    shift = np.array(_EYES_AT) - turn @ ((left + right) / 2)
    matrix = np.column_stack([turn, shift])
    # An affine map does not average the pixels that it joins.
    interpolation = cv2.INTER_CUBIC if scale >= 1.0 else cv2.INTER_AREA
    if scale < 1.0:
        image = _u8(cv2.GaussianBlur(image, (0, 0), 0.5 / scale))
    return _u8(
        cv2.warpAffine(image, matrix, PORTRAIT_SIZE, flags=interpolation, borderMode=cv2.BORDER_REPLICATE)
    )


def degraded_portrait(portrait: BgrImage, degradation: Degradation) -> BgrImage:
    """Return a degraded copy of a portrait, of the same size.

    Args:
        portrait: Result of ``portrait_of``.
    """
    return _DEGRADE[degradation](portrait)


def _jpeg_2000(portrait: BgrImage) -> BgrImage:
    share = 1000 * _CHIP_BYTES // portrait.size
    while True:
        _, data = cv2.imencode(".jp2", portrait, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, share])
        if data.size <= _CHIP_BYTES or share <= 1:
            return _u8(cv2.imdecode(data, cv2.IMREAD_COLOR))
        share -= 1


def _printed_and_scanned(portrait: BgrImage) -> BgrImage:
    rng = _rng(portrait)
    height, width = portrait.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    # The print: narrower tones, spread ink, dots, and the lines of the security background.
    ink = 28.0 + 0.80 * _smooth(portrait.astype(np.float64), 0.8)
    dots = cv2.GaussianBlur(rng.normal(scale=14.0, size=(height, width)), (0, 0), 0.7)
    lines = 4.0 * np.sin(0.55 * y + 9.0 * np.sin(x / 45.0 + rng.uniform(0.0, 6.0)))
    printed = ink + (dots + lines)[..., None]
    # The scan: turned a little, blurred by the optics, with the sensor's noise.
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-1.5, 1.5), 1.0)
    turned = np.asarray(
        cv2.warpAffine(printed, turn, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float64
    )
    scanned = _smooth(turned, 0.8) + rng.normal(scale=3.0, size=portrait.shape)
    _, data = cv2.imencode(".jpg", _rounded(scanned), [cv2.IMWRITE_JPEG_QUALITY, 80])
    return _u8(cv2.imdecode(data, cv2.IMREAD_COLOR))


def _grey(portrait: BgrImage) -> BgrImage:
    return _u8(cv2.cvtColor(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR))


def _faded(portrait: BgrImage) -> BgrImage:
    width, height = PORTRAIT_SIZE
    small = cv2.resize(portrait, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(small, PORTRAIT_SIZE, interpolation=cv2.INTER_LINEAR).astype(np.float64)
    pale = 0.5 * soft + 0.5 * soft.mean(axis=2, keepdims=True)
    yellowed = np.array([62.0, 78.0, 84.0]) + 0.55 * pale
    return _rounded(yellowed + _rng(portrait).normal(scale=4.0, size=portrait.shape))


_DEGRADE: Final[Mapping[Degradation, Callable[[BgrImage], BgrImage]]] = MappingProxyType(
    {
        Degradation.CROP: lambda portrait: portrait,
        Degradation.JP2: _jpeg_2000,
        Degradation.SCAN: _printed_and_scanned,
        Degradation.GREY: _grey,
        Degradation.FADED: _faded,
    }
)


def _rng(portrait: BgrImage) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(np.ascontiguousarray(portrait).tobytes()))


def _smooth(pixels: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), deviation), np.float64)


def _rounded(pixels: NDArray[np.float64]) -> BgrImage:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _u8(pixels: object) -> BgrImage:
    return np.asarray(pixels, np.uint8)


class AcquisitionFault(StrEnum):
    """Why a photo gives no template (failure to acquire, ISO/IEC 19795-1), in words for people."""

    UNREADABLE = "unreadable file"
    NO_FACE = "no face"
    SEVERAL_FACES = "several faces"
    NO_FEATURES = "no features of a face, such as a profile"
    MODEL_FAILED = "a model failed"


@dataclass(frozen=True, slots=True)
class LabelledTemplate:
    """One photo's template.

    Attributes:
        embedding: The vector whose product with another's is their score
            (``MatchCalibration.vectors``): the template, of length 1, unless the pack has a cohort.
        apart: True for a photo of a group that is measured separately.
    """

    embedding: Embedding
    identity: str
    apart: bool
    photo: int = 0


@dataclass(frozen=True, slots=True)
class TemplateRun:
    """The templates of one pack for a set of photos.

    Attributes:
        templates: One template for every photo that shows one face.
        milliseconds: CPU time to detect and embed, for each template. It is the time of one core, if the
            models run in the worker's own thread.
        faults: Why the other photos gave no template, by position of the photo.
        portraits: Templates of photos degraded to portraits, by degradation. Only photos that have a
            template, of persons with several photos, are degraded.
    """

    templates: tuple[LabelledTemplate, ...]
    photos: int
    milliseconds: tuple[float, ...] = ()
    faults: Mapping[int, AcquisitionFault] = field(default_factory=dict)
    portraits: Mapping[Degradation, "TemplateRun"] = field(default_factory=dict)

    @property
    def failures(self) -> int:
        """Photos that gave no template: unreadable, no face, or several persons."""
        return self.photos - len(self.templates)

    @property
    def fault_counts(self) -> Mapping[AcquisitionFault, int]:
        """Failures to acquire by reason."""
        return Counter(self.faults.values())


def embed_photos(
    photos: Sequence[FacePhoto],
    *,
    packs: Sequence[Pack],
    subject: SubjectRule,
    still_decoder: StillDecoder | None = None,
    portraits: Sequence[Degradation] = (),
    workers: int = 1,
    report: Callable[[], None] = lambda: None,
) -> tuple[TemplateRun, ...]:
    """Embed the subject of every photo.

    The packs take turns at each photo, so that a slow phase of the machine affects all of them.

    Args:
        packs: The packs with the detectors and embedders.
        still_decoder: Decodes JPEG 2000 and WebP; without it such photos are failures to acquire.
        portraits: Degradations in which each photo of a person with several is embedded, too.
        workers: Threads, each with photos of its own. Results do not depend on their number.
        report: Called after each photo.

    Returns:
        For each pack, in their order.
    """
    runs = [_Run(portraits=portraits) for _ in packs]
    several = Counter(photo.identity for photo in photos)

    def embed(photo: FacePhoto) -> list[_Answer]:
        wanted = portraits if several[photo.identity] > 1 else ()
        return _embed_photo(
            photo, packs=packs, subject=subject, still_decoder=still_decoder, portraits=wanted
        )

    with ThreadPoolExecutor(max_workers=workers) as pool:
        for number, (photo, found) in enumerate(zip(photos, pool.map(embed, photos), strict=True)):
            for run, answer in zip(runs, found, strict=True):
                run.append(number, photo, answer)
            report()
    return tuple(run.finished() for run in runs)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One pack's template of a photo, or why there is none, and those of its degraded portraits."""

    found: Embedding | AcquisitionFault
    milliseconds: float = 0.0
    portraits: tuple[Embedding | AcquisitionFault, ...] = ()


class _Run:
    """The answers of one pack so far."""

    def __init__(self, *, portraits: Sequence[Degradation] = ()) -> None:
        self._templates: list[LabelledTemplate] = []
        self._milliseconds: list[float] = []
        self._faults: dict[int, AcquisitionFault] = {}
        self._photos = 0
        self._portraits = {degradation: _Run() for degradation in portraits}

    def append(self, number: int, photo: FacePhoto, answer: _Answer) -> None:
        self._photos += 1
        if isinstance(answer.found, AcquisitionFault):
            self._faults[number] = answer.found
            return
        self._milliseconds.append(answer.milliseconds)
        self._templates.append(LabelledTemplate(answer.found, photo.identity, photo.apart, number))
        if answer.portraits:
            for run, portrait in zip(self._portraits.values(), answer.portraits, strict=True):
                run.append(number, photo, _Answer(portrait))

    def finished(self) -> TemplateRun:
        return TemplateRun(
            templates=tuple(self._templates),
            photos=self._photos,
            milliseconds=tuple(self._milliseconds),
            faults=MappingProxyType(self._faults),
            portraits=MappingProxyType({name: run.finished() for name, run in self._portraits.items()}),
        )


def _embed_photo(
    photo: FacePhoto,
    *,
    packs: Sequence[Pack],
    subject: SubjectRule,
    still_decoder: StillDecoder | None,
    portraits: Sequence[Degradation],
) -> list[_Answer]:
    """Return the answer of each pack to a photo."""
    try:
        image = read_picture(photo.path, still_decoder=still_decoder)
    except (OSError, ImageError, DecoderUnavailable):
        return [_Answer(AcquisitionFault.UNREADABLE)] * len(packs)
    return [_embed(image, pack=pack, subject=subject, portraits=portraits) for pack in packs]


def _embed(
    image: BgrImage, *, pack: Pack, subject: SubjectRule, portraits: Sequence[Degradation] = ()
) -> _Answer:
    start = time.thread_time()
    try:
        persons = persons_of(image, pack, rule=subject)
        if len(persons) != 1:
            return _Answer(AcquisitionFault.SEVERAL_FACES if persons else AcquisitionFault.NO_FACE)
        if not pack.shows_features(image, persons[0]):
            return _Answer(AcquisitionFault.NO_FEATURES)
        template = _scored(pack.embedder.embed(image, persons[0]), pack)
    except ModelFailed:
        return _Answer(AcquisitionFault.MODEL_FAILED)
    spent = 1000.0 * (time.thread_time() - start)
    if not portraits:
        return _Answer(template, spent)
    portrait = portrait_of(image, persons[0])
    degraded = (degraded_portrait(portrait, degradation) for degradation in portraits)
    return _Answer(
        template, spent, tuple(_embed(each, pack=pack, subject=subject).found for each in degraded)
    )


def _scored(template: Embedding, pack: Pack) -> Embedding:
    return np.asarray(pack.match_calibration.vectors(template[None])[0], np.float32)

"""Makes templates of photos, each photo once, with all compared packs."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from attempt import persons_of
from evaluation.match.photos import FacePhoto
from evaluation.match.pictures import read_picture
from evaluation.match.portraits import Degradation, degraded_portrait, portrait_of
from matcher import SubjectRule
from vision.errors import DecoderUnavailable, ImageError, ModelFailed
from vision.face import BgrImage, Embedding
from vision.image import StillDecoder
from vision.packs import Pack

__all__ = ["AcquisitionFault", "LabelledTemplate", "TemplateRun", "embed_photos"]


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
        identity: The person in the photo.
        apart: True for a photo of a group that is measured separately.
        photo: Position of the photo in its list.
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
        photos: Number of photos processed.
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
        photos: The photos.
        packs: The packs with the detectors and embedders.
        subject: Defines which faces count as persons.
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
                run.take(number, photo, answer)
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

    def take(self, number: int, photo: FacePhoto, answer: _Answer) -> None:
        self._photos += 1
        if isinstance(answer.found, AcquisitionFault):
            self._faults[number] = answer.found
            return
        self._milliseconds.append(answer.milliseconds)
        self._templates.append(LabelledTemplate(answer.found, photo.identity, photo.apart, number))
        if answer.portraits:
            for run, portrait in zip(self._portraits.values(), answer.portraits, strict=True):
                run.take(number, photo, _Answer(portrait))

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

"""Makes templates of photos, each photo once, with all compared packs."""

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from evaluation.match.photos import FacePhoto
from evaluation.match.pictures import read_picture
from matcher.persons import persons_among
from matcher.portrait_report import PortraitPolicy
from vision.errors import DecoderUnavailable, ImageError, ModelFailed
from vision.face import BgrImage, Embedding
from vision.image import StillDecoder
from vision.packs import Pack

__all__ = ["AcquisitionFault", "LabelledTemplate", "TemplateRun", "embed_photos"]

_RULES = PortraitPolicy()


class AcquisitionFault(StrEnum):
    """Why a photo gives no template (failure to acquire, ISO/IEC 19795-1), in words for people."""

    UNREADABLE = "unreadable file"
    NO_FACE = "no face"
    SEVERAL_FACES = "several faces"
    MODEL_FAILED = "a model failed"


@dataclass(frozen=True, slots=True)
class LabelledTemplate:
    """One photo's template.

    Attributes:
        embedding: The template, of length 1.
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
        milliseconds: CPU time to detect and embed, for each template. Models with one thread run on the
            calling thread, so that it is time on one core, independent of other load.
        faults: Why the other photos gave no template, by position of the photo.
    """

    templates: tuple[LabelledTemplate, ...]
    photos: int
    milliseconds: tuple[float, ...] = ()
    faults: Mapping[int, AcquisitionFault] = field(default_factory=dict)

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
    still_decoder: StillDecoder | None = None,
    told: Callable[[], None] = lambda: None,
) -> tuple[TemplateRun, ...]:
    """Embed the one face of every photo.

    The packs take turns at each photo, so that a slow phase of the machine affects all of them.

    Args:
        photos: The photos.
        packs: The packs with the detectors and embedders.
        still_decoder: Decodes JPEG 2000 and WebP; without it such photos are failures to acquire.
        told: Called after each photo.

    Returns:
        For each pack, in their order.
    """
    runs = [_Run() for _ in packs]
    for number, photo in enumerate(photos):
        try:
            image = read_picture(photo.path, still_decoder=still_decoder)
        except (OSError, ImageError, DecoderUnavailable):
            image = None
        for pack, run in zip(packs, runs, strict=True):
            if image is None:
                run.faults[number] = AcquisitionFault.UNREADABLE
            else:
                run.take(number, photo, image, pack=pack)
        told()
    return tuple(run.finished(len(photos)) for run in runs)


@dataclass(slots=True)
class _Run:
    templates: list[LabelledTemplate] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    faults: dict[int, AcquisitionFault] = field(default_factory=dict)

    def take(self, number: int, photo: FacePhoto, image: BgrImage, *, pack: Pack) -> None:
        start = time.thread_time()
        found = _embed(image, pack=pack)
        spent = 1000.0 * (time.thread_time() - start)
        if isinstance(found, AcquisitionFault):
            self.faults[number] = found
            return
        self.milliseconds.append(spent)
        self.templates.append(LabelledTemplate(found, photo.identity, photo.apart, number))

    def finished(self, photos: int) -> TemplateRun:
        return TemplateRun(
            templates=tuple(self.templates),
            photos=photos,
            milliseconds=tuple(self.milliseconds),
            faults=MappingProxyType(self.faults),
        )


def _embed(image: BgrImage, *, pack: Pack) -> Embedding | AcquisitionFault:
    try:
        persons = persons_among(
            pack.detector.detect(image),
            second_face_fraction=_RULES.second_face_fraction,
            min_confidence=_RULES.min_face_confidence,
        )
        if len(persons) == 1:
            return pack.embedder.embed(image, persons[0])
    except ModelFailed:
        return AcquisitionFault.MODEL_FAILED
    return AcquisitionFault.SEVERAL_FACES if persons else AcquisitionFault.NO_FACE

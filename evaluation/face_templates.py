"""Photos to templates, each photo once."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track

from evaluation.face_photos import FacePhoto
from matcher.persons import persons_among
from matcher.portrait_report import PortraitPolicy
from vision.errors import ModelFailed
from vision.face import BgrImage, Embedding
from vision.packs import Pack

__all__ = ["LabelledTemplate", "TemplateRun", "embed_photos"]

_RULES = PortraitPolicy()


@dataclass(frozen=True, slots=True)
class LabelledTemplate:
    """One photo's template.

    Attributes:
        embedding: Of length 1.
        identity: Who the photo shows.
        apart: True for a photo of a group that is measured apart.
    """

    embedding: Embedding
    identity: str
    apart: bool


@dataclass(frozen=True, slots=True)
class TemplateRun:
    """What came of a set of photos.

    Attributes:
        templates: One for every photo that shows one face.
        photos: Number of photos tried.
        milliseconds_per_photo: Mean time to detect and embed, over the photos that gave a template.
    """

    templates: tuple[LabelledTemplate, ...]
    photos: int
    milliseconds_per_photo: float

    @property
    def failures(self) -> int:
        """Photos that gave no template: unreadable, no face, or several persons."""
        return self.photos - len(self.templates)


def embed_photos(photos: Sequence[FacePhoto], *, pack: Pack, console: Console) -> TemplateRun:
    """Embed the one face of every photo.

    Args:
        photos: What to embed.
        pack: Its detector and its embedder.
        console: Shows the progress.
    """
    templates, seconds = [], 0.0
    for photo in track(photos, description="embedding", console=console):
        image = cv2.imread(str(photo.path), cv2.IMREAD_COLOR)
        if image is None:
            continue
        start = time.perf_counter()
        embedding = _embed(image.astype(np.uint8, copy=False), pack=pack)
        if embedding is None:
            continue
        seconds += time.perf_counter() - start
        templates.append(LabelledTemplate(embedding, photo.identity, photo.apart))
    mean = 1000.0 * seconds / len(templates) if templates else 0.0
    return TemplateRun(templates=tuple(templates), photos=len(photos), milliseconds_per_photo=mean)


def _embed(image: BgrImage, *, pack: Pack) -> Embedding | None:
    try:
        persons = persons_among(
            pack.detector.detect(image),
            second_face_fraction=_RULES.second_face_fraction,
            min_confidence=_RULES.min_face_confidence,
        )
        return pack.embedder.embed(image, persons[0]) if len(persons) == 1 else None
    except ModelFailed:
        return None

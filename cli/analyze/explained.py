"""A finding together with what it was made of."""

from dataclasses import dataclass, field

from attempt.films import VideoStudy
from cli.analyze.finding import FileReport
from server.analysis.results import ImageStudy
from vision.exif_tags import ExifTags

__all__ = ["Explained"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Explained:
    """One file's answer, and the pictures and measurements behind it.

    Attributes:
        finding: The answer.
        image: What a picture's analysis worked on; None for others, and where it did not come to that.
        video: What a video's analysis worked on; likewise.
        exif: What the camera wrote about a picture; None for others.
    """

    finding: FileReport
    image: ImageStudy | None = field(default=None, repr=False)
    video: VideoStudy | None = field(default=None, repr=False)
    exif: ExifTags | None = field(default=None, repr=False)

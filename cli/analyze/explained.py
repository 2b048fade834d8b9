"""A report together with its images and measurements."""

from dataclasses import dataclass, field

from attempt import VideoStudy
from cli.analyze.finding import FileReport
from formats.exif import ExifTags
from server.analysis.results import ImageStudy

__all__ = ["ExplainedFile"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ExplainedFile:
    """One file's report, with the images and measurements behind it.

    Attributes:
        finding: The report.
        image: The material of an image's analysis; None for other files, and if no analysis took place.
        video: The material of a video's analysis; likewise.
        exif: The camera's EXIF tags of an image; None for other files.
    """

    finding: FileReport
    image: ImageStudy | None = field(default=None, repr=False)
    video: VideoStudy | None = field(default=None, repr=False)
    exif: ExifTags | None = field(default=None, repr=False)

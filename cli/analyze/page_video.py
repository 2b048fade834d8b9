"""The figures for a video: its timeline, the selected frames, the crops of the networks."""

from collections.abc import Iterator, Sequence
from typing import Final

from attempt import SelectedFrame, VideoStudy
from cli.analyze.page_figures import Figure, Group, crops, face_figure, pattern_group
from cli.analyze.timeline import Timeline, timeline_of
from cli.analyze.timeline_chart import timeline_chart
from liveness.express import ExpressSettings, PadScore
from vision.packs import PadNetwork

__all__ = ["video_groups"]

_THUMBNAIL: Final = 320
_EYES_SHUT: Final = ExpressSettings().eyes_shut_level
_UNTIMED: Final = "The times of still frames are unknown, so no movement is measured."
_ROWS: Final = (
    "Eyes: aspect ratio of both; below the dashed line they are shut. Networks: from 0, an attack, to 1, "
    "real; point at a dot for its number."
)


def video_groups(study: VideoStudy, *, networks: Sequence[PadNetwork], timed: bool) -> Iterator[Group]:
    """Yields the groups of figures for one video.

    Args:
        study: The material of the analysis.
        networks: The networks of the pack.
        timed: False for still frames: their times are unknown, and the axis counts frames.
    """
    timeline = timeline_of(study.observations, study.pad_scores, timed=timed)
    if timeline.moments:
        chart = timeline_chart(timeline, eyes_shut_level=_EYES_SHUT, timed=timed)
        yield Group(
            title="Timeline" if timed else "Frames in order",
            said=f"{_measured(timeline) if timed else _UNTIMED} {_ROWS}",
            figures=[Figure(chart="timeline", drawn={"chart": chart}, caption=_seen(study))],
            kind="one",
        )
    yield Group(
        title="Selected frames",
        said="The frames in which the person was identified: well placed, sharp and spread over time. The "
        "networks score other frames, which are spread over time alone; see above.",
        figures=[_thumbnail(frame, study.pad_scores, timed=timed) for frame in study.selected],
        kind="thumbs",
    )
    middle = _middle(study)
    if middle is not None:
        scores = [score for score in study.pad_scores if score.frame_index == middle.index]
        yield pattern_group(middle.pixels, middle.face)
        yield Group(
            title="Crops of the networks",
            said=f"The crops of frame {middle.index}, pixel by pixel, before any scaling of colours.",
            figures=crops(networks if study.pad_scores else (), scores, middle.pixels, middle.face),
            kind="thumbs",
        )


def _measured(timeline: Timeline) -> str:
    return (
        f"{len(timeline.moments)} frames were measured, {len(timeline.passed)} between them were not. The "
        "face was detected in some and followed by its motion in the others. Movement: of the face, in face "
        "widths a second."
    )


def _thumbnail(frame: SelectedFrame, scores: Sequence[PadScore], *, timed: bool) -> Figure:
    said = ", ".join(
        f"{score.network} {score.real_probability:.2f}"
        for score in scores
        if score.frame_index == frame.index
    )
    when = f"Frame {frame.index}" + (f", {frame.capture_time:.2f} s" if timed else "")
    return face_figure(
        frame.pixels,
        (frame.face,),
        None,
        alt=f"{when} with the face's box",
        caption=f"{when}. {said}" if said else when,
        longest=_THUMBNAIL,
    )


def _seen(study: VideoStudy) -> str:
    frames = study.observations.frames
    usable = len(study.observations.usable)
    return f"Exactly one face in {usable} of {len(frames)} measured frames; {len(study.selected)} selected."


def _middle(study: VideoStudy) -> SelectedFrame | None:
    """Returns the selected frame with the median score, neither the best nor the worst.

    Without networks it is the middle frame in time.
    """
    asked = {score.frame_index for score in study.pad_scores}
    frames = [frame for frame in study.selected if frame.index in asked]
    if not frames:
        return study.selected[len(study.selected) // 2] if study.selected else None
    means = {
        index: sum(score.real_probability for score in study.pad_scores if score.frame_index == index)
        for index in asked
    }
    return sorted(frames, key=lambda frame: means[frame.index])[len(frames) // 2]

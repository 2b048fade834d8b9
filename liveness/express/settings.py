"""Lines and limits of the express signals."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CueLine:
    """Where a single-frame cue turns, in its own unit (see the cue's module).

    Attributes:
        line: Where its score is 0.5: at most 5 % of the live pictures of any source lie beyond; sources of
            less than 20 count as one (``python -m research.frame_cues``).
        live: Where its score is 0.8: the median of the live sources' medians.
    """

    line: float
    live: float


@dataclass(frozen=True, slots=True)
class ExpressSettings:
    """Where the score of a signal is 0.5 (its *line*), and from where on a signal can be assessed.

    Distances are in face widths, times in seconds of capture; lines of ratios have no unit. Where a range is
    named, the value was read from it: 19 clips of live persons, and photos made into still, waved, bent and
    camera-shaken scans. Values marked *set by hand* rest on no measurement of ours: most of them say from
    where on a signal can be assessed at all, and below them it says nothing.

    Attributes:
        minimum_steps: Tracked frames below which no motion signal is assessed; a second at the least rate of
            8 frames. Set by hand.
        minimum_face_width: Median face width in view pixels (a frame 384 pixels long) below which
            tracking errors look like depth, so that no motion signal is assessed. Set by hand.
        least_motion: Movement of the face within a second, face widths, below which a plane and a head look
            alike. Set by hand: well above the 0.0011 of noise alone, half of the 0.008 of live clips.
        plane_line: Left-over motion over motion (see ``motion_steps.left_over_ratio``): up to 0.09 on
            photos, 0.11 on photos of small faces, 0.13 and above on live clips but for one scan (0.11).
        surroundings_line: How much worse the face's plane explains the background than it moves:
            0.06 to 0.6 on photos whose sheet is in view, 0.6 and above on live clips.
        surroundings_motion: Movement of the face within a second, face widths, below which its surroundings
            are not compared. Set by hand.
        part_line: Change of eyes or mouth over the change of the rest, once laid flat: up to 1.6 on
            photos, mostly 2 and above on live clips.
        stillness_line: Movement of the face within a second, face widths: 0.0003 to 0.0011 where only noise
            moves, 0.008 and above on live clips.
        eyes_shut_level: Eye aspect ratio below which the eyes count as shut. Narrow eyes measure 0.12 to
            0.15 when open, so it lies below that, at the price of missing some shut ones.
        eyes_open_level: Eye aspect ratio of open eyes from which a blink can be told; the upper end of narrow
            eyes.
        blink_depth: Share of the open level to which both eyes must fall to count as a blink. Set by hand, as
            are ``blink_recovery`` and ``longest_blink``.
        blink_recovery: Share of the open level to which they must return.
        longest_blink: Seconds; longer is eyes kept shut.
        sharpness_line: ``vision.measures.sharpness`` (variance of the Laplacian, squared grey levels) of a
            face that is just sharp enough. Set by hand.
        largest_yaw: Degrees of mean head turn that is still looking at the camera. Set by hand; it is
            ``GuidanceSettings.turned``, as is ``largest_pitch``.
        largest_pitch: Degrees of mean nodding that is still looking at the camera.
        smallest_area: Share of the frame that a face must fill. Set by hand.
        largest_area: Share of the frame above which a face is too close. Set by hand.
        stall_seconds: Longest run of one and the same frame that a slow camera explains. Set by hand.
        returned_frames: Frames identical to an earlier one, with other frames between, from which on
            no camera explains them. Set by hand.
        recurrence_line: ``recurrence.Recurrence``'s ratios: 1.05 and above on live clips as sent and as
            stored, 0.95 and above on photos through a camera's noise.
        nose_line: ``pose_consistency.NoseFinding.evidence``: 0.6 and above on live clips whose head turns,
            mostly below on paper masks that turn.
        nose_evidence: The same, from where on a nose is seen whether the head turns or not: up to 2.4 on
            photos.
        least_turn: Degrees to the sides from which on a head's nose must show. Waved photos seem to turn
            by up to 5.
        moire: Of ``moire.measure_moire``; higher is a screen.
        medium_border: Of ``medium_border.measure_medium_border``; higher is a sheet or a device.
        specular_highlights: Of ``specular_highlights.measure_specular_highlights``; lower is flat.
        colour_gamut: Of ``colour_gamut.measure_colour_gamut``; lower is recaptured.
        blur_depth: Of ``blur_depth.measure_blur_depth``; higher is recaptured.
    """

    minimum_steps: int = 8
    minimum_face_width: float = 60.0
    least_motion: float = 0.004
    plane_line: float = 0.12
    surroundings_line: float = 0.45
    surroundings_motion: float = 0.012
    part_line: float = 1.7
    stillness_line: float = 0.003
    eyes_shut_level: float = 0.1
    eyes_open_level: float = 0.15
    blink_depth: float = 0.7
    blink_recovery: float = 0.85
    longest_blink: float = 0.6
    sharpness_line: float = 40.0
    largest_yaw: float = 25.0
    largest_pitch: float = 25.0
    smallest_area: float = 0.04
    largest_area: float = 0.8
    stall_seconds: float = 0.7
    returned_frames: int = 4
    recurrence_line: float = 0.75
    nose_line: float = 0.5
    nose_evidence: float = 2.5
    least_turn: float = 8.0
    moire: CueLine = CueLine(line=4.7, live=1.8)
    medium_border: CueLine = CueLine(line=0.83, live=0.57)
    specular_highlights: CueLine = CueLine(line=0.15, live=0.38)
    colour_gamut: CueLine = CueLine(line=0.53, live=0.92)
    blur_depth: CueLine = CueLine(line=1.23, live=0.0)

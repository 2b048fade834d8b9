"""Lines and limits of the express signals."""

from dataclasses import dataclass

from liveness.policy import CaptureLimits

_CALIBRATED = CaptureLimits(
    min_face_width=60.0,
    max_face_width=800.0,
    min_sharpness=7.0,
    max_sharpness=1400.0,
    min_luminance=40.0,
    max_luminance=190.0,
)
"""See ``ExpressSettings.calibrated``."""


@dataclass(frozen=True, slots=True)
class CueLine:
    """The line of a single-frame cue, in the cue's own unit (see the function that measures it).

    Attributes:
        line: The value with the score 0.5. At most 5 % of the live images of any source lie beyond it;
            sources of less than 20 images count as one (tag studies-1.0: ``python -m research.frame_cues``).
        live: The value with the score 0.8: the median of the live sources' medians.
    """

    line: float
    live: float


@dataclass(frozen=True, slots=True)
class ExpressSettings:
    """The *lines* of the signals, at which a score is 0.5, and the limits from which a signal is assessed.

    Distances are in face widths, times in seconds of capture; lines of ratios have no unit. A value with a
    range was derived from it: the ranges were measured on 19 clips of live persons, and on photos made into
    still, waved, bent and camera-shaken scans. Values marked *set by hand* rest on no measurement. Most of
    these are limits below which a signal is not assessed.

    Attributes:
        minimum_steps: The number of tracked frames below which no motion signal is assessed: a second at the
            lowest rate of 8 frames per second. Set by hand.
        minimum_face_width: The median face width, pixels of the view (384 pixels long), below which tracking
            errors look like depth, so that no motion signal is assessed. Set by hand.
        least_motion: The movement of the face within a second, face widths, below which a plane and a head
            look alike. Set by hand: well above the 0.0011 of noise alone, half of the 0.008 of live clips.
        plane_line: The line of left-over motion over motion (``left_over_ratio``): up to 0.09 on
            photos, 0.11 on photos of small faces, 0.13 and above on live clips except one scan (0.11).
        surroundings_line: The line of the background's distance from the motion of the face's plane, over the
            face's movement: 0.06 to 0.6 on photos whose sheet is visible, 0.6 and above on live clips.
        surroundings_motion: The movement of the face within a second, face widths, below which its
            surroundings are not compared. Set by hand.
        part_line: The line of the change of eyes or mouth over the change of the rest, after alignment: up to
            1.6 on photos, mostly 2 and above on live clips.
        stillness_line: The line of the face's movement within a second, face widths: 0.0003 to 0.0011 with
            noise alone, 0.008 and above on live clips.
        eyes_shut_level: The eye aspect ratio below which the eyes count as shut. Narrow open eyes measure
            0.12 to 0.15, so the level lies below that and misses some shut eyes. Of such eyes no blink can
            be measured.
        blink_depth: The share of the open level to which both eyes must fall to count as a blink. Set by
            hand, as are ``blink_recovery`` and ``longest_blink``.
        blink_recovery: The share of the open level to which they must return.
        longest_blink: The longest blink, seconds; eyes that close for longer are shut.
        sharpness_line: ``FaceMeasures.sharpness`` (variance of the Laplacian, squared grey levels) of a
            face that is just sharp enough. Set by hand.
        largest_yaw: The largest median yaw, degrees, of a person who looks at the camera. Set by hand; equals
            ``GuidanceSettings.turned``, as does ``largest_pitch``.
        largest_pitch: The largest median pitch, degrees, of a person who looks at the camera.
        smallest_area: The share of the frame that a face must fill. Set by hand.
        largest_area: The share of the frame above which a face is too close. Set by hand.
        stall_seconds: The longest run of identical frames, seconds, that a slow camera explains. Set by hand.
        returned_frames: The number of frames identical to an earlier one, with other frames between, from
            which on no camera explains them. Set by hand.
        recurrence_line: The line of the ratios of ``Recurrence``: 1.05 and above on live clips as
            sent and as stored, 0.95 and above on photos with a camera's noise.
        nose_line: The line of ``NoseFinding.evidence``: 0.6 and above on live clips in which
            the head turns, mostly below on paper masks that turn.
        nose_evidence: The evidence from which on a nose counts whether the head turns or not: up to 2.4 on
            photos.
        least_turn: The yaw, degrees, from which on a head must show a nose. Waved photos seem to turn by up
            to 5.
        moire: The line of ``measure_moire``; higher values indicate a screen.
        medium_border: The line of ``measure_medium_border``; higher values indicate a sheet or
            a device.
        specular_highlights: The line of ``measure_specular_highlights``; lower values
            indicate a flat medium.
        colour_gamut: The line of ``measure_colour_gamut``; lower values indicate a recapture.
        blur_depth: The line of ``measure_blur_depth``; higher values indicate a recapture.
        calibrated: The range of the medians of a scan in which the fusion model was fitted; outside of it, no
            scan is LIVE. Medians of live clips: face width 60.6 to 760 pixels of the frame, luminance 40.1 to
            190, sharpness 7 to 1010. Two limits lie further out. The largest well-placed face of the largest
            frame that a server takes (1920 x 1080 pixels) is 800 pixels wide; signals and networks measure it
            on reduced crops. Of 349 live images of ``data/pad``, 0.9 % have a sharpness of 1010 to 1356, and
            the person can do nothing about it.
        max_black: The greatest median ``black_level`` at which a scan can be LIVE: 0 to 60 on live
            clips, one webcam 74. A veil of a tenth of the light gives 75 or more.
        max_backlight: The same for ``backlight``: up to 2.3 on live clips. A darkened screen in
            front of a bright background looks genuine to the networks, from 2.5 on beyond doubt.
        clear_black: The black level above which no passive signal makes a scan SPOOF. A veil of a twentieth
            of the light gives 53 or more, and makes live clips look like attacks; on attacks up to 45, one
            66. Prints that fill the frame can lie above it, too.
        widest_share: The face width over the field's width (``guidance.field_width``) above which no passive
            signal makes a scan SPOOF, because the networks do not see the surroundings: up to 0.75 on live
            clips and 0.80 on attacks, 0.9 on live crops.
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
    calibrated: CaptureLimits = _CALIBRATED
    max_black: float = 75.0
    max_backlight: float = 2.4
    clear_black: float = 50.0
    widest_share: float = 0.85

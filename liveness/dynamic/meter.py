"""Reads each step of the flash while the scan runs.

Cheap on every frame: a sample is stored. Steps are told again only when it can matter: once the step on
display was held, and every other frame after.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge import ColourStep, Disturbance, Light, RevealedStep, StepReading
from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.judge import judge_flash
from liveness.dynamic.measurement import (
    Appearance,
    FlashTrack,
    Response,
    Sent,
    StepAnswer,
    TrackView,
    appearances,
    find_lag,
    fit_response,
    is_dim,
    measure_lag,
    measure_surface,
    more_may_tell,
    read_exposure,
)
from liveness.dynamic.model import FlashModel, LightSettings, load_flash_model
from liveness.dynamic.sample import FlashSample

__all__ = ["FlashMeter"]


_RECENT: Final = 24
"""Frames by which the light is judged: about a second."""
_EVERY: Final = 12
_LIGHT_EVERY: Final = 6
_STEPS_FOR_LIGHT: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Analysis:
    """What the frames up to one say together.

    Attributes:
        shown: The steps that appeared, and when.
        lag: By which the face follows them; ``None`` while none stands out.
        explained: Share of the face's changes that the lag found explains.
        response: Of the face; ``None`` while it cannot be fitted.
    """

    shown: tuple[Appearance, ...] = ()
    lag: float | None = None
    explained: float = 0.0
    response: Response | None = None


class _RoomLight:
    """Whether the light lets the flash be measured, by the latest frames."""

    def __init__(self, lines: LightSettings, *, least_snr: float) -> None:
        self._lines = lines
        self._least_snr = least_snr
        self._recent: list[FlashSample] = []
        self._since = 0
        self._light = Light.OK

    def add(self, sample: FlashSample) -> None:
        self._recent.append(sample)
        del self._recent[:-_RECENT]
        self._since += 1

    def judge(self, coloured: Sequence[StepAnswer]) -> Light:
        """Looked at every few frames.

        Args:
            coloured: The answers to coloured steps so far.
        """
        if self._since >= _LIGHT_EVERY:
            self._since = 0
            self._light = self._judged(coloured)
        return self._light

    def _judged(self, coloured: Sequence[StepAnswer]) -> Light:
        exposed, lines = read_exposure(self._recent), self._lines
        if exposed.lost > lines.most_lost:
            if exposed.level is not None and exposed.level < lines.darkest_skin:
                return Light.TOO_DARK_TO_SEE_FACE
            # In a dim room the screen itself saturates the skin, until the camera's exposure has followed.
            return Light.OK if is_dim(self._recent, lines.dim_lux) else Light.TOO_BRIGHT
        if exposed.level is not None and exposed.level < lines.darkest_skin:
            return Light.TOO_DARK_TO_SEE_FACE
        if len(coloured) < _STEPS_FOR_LIGHT or any(one.agrees is not None for one in coloured[-3:]):
            return Light.OK
        if max(one.snr for one in coloured[-3:]) >= self._least_snr:
            return Light.OK
        return Light.WEAK if is_dim(self._recent, lines.dim_lux) else Light.TOO_BRIGHT


class FlashMeter:
    """Implements ``challenge.interface.Meter``. Not safe to call from several threads at once."""

    def __init__(self, model: FlashModel | None = None) -> None:
        """Starts with nothing seen.

        Args:
            model: Lines of the measurement; the packaged ones if None.
        """
        self._model = load_flash_model() if model is None else model
        self._track = FlashTrack()
        self._samples: list[FlashSample] = []
        self._sent: list[Sent] = []
        self._light = _RoomLight(self._model.light, least_snr=self._model.response.least_snr)
        self._analysis = _Analysis()
        self._since_analysis = 0
        self._due = False
        self._readings: tuple[StepReading, ...] = ()

    def add(self, sample: FlashSample) -> None:
        """Take the next frame; one that is out of order is left out."""
        if not self._track.add(sample):
            return
        self._samples.append(sample)
        self._light.add(sample)
        self._since_analysis += 1
        self._due = self._due or self._tells_more(sample)

    def revealed(self, step: ColourStep, at: float) -> None:
        """Learn that ``step`` was sent at ``at``, seconds of the server's monotonic clock."""
        self._sent.append(Sent(step=step, at=at, after_capture=self._track.latest_capture))
        unknown = StepReading(
            step=step.number, frames=0, snr=0.0, agrees=None, disturbed=frozenset(), settled=False
        )
        self._readings = (*self._readings, unknown)

    def refresh(self) -> None:
        """Take every frame that was added into the next answers, as the judge of the whole scan will."""
        self._due = self._since_analysis > 0 or self._due

    def readings(self) -> tuple[StepReading, ...]:
        """What is known of each step that was revealed, in order."""
        self._analyse()
        return self._readings

    def verified_bits(self) -> float:
        """Colour bits of all steps that were verified, not net of chance."""
        bits = {one.step.number: one.step.colour_bits for one in self._sent}
        return math.fsum(bits[reading.step] for reading in self.readings() if reading.agrees)

    def light(self) -> Light:
        """Whether the light lets the flash be measured."""
        self._analyse()
        return self._light.judge(self._coloured_answers())

    def shape_shows(self) -> bool:
        """Whether there is other light than the screen's, without which every part answers alike.

        Where that is not so, or nothing answers yet, only motion can show what the light falls on.
        """
        self._analyse()
        response = self._analysis.response
        return response is not None and response.strength <= self._model.shape.strongest

    def doubtful(self) -> bool:
        """Whether more steps may tell what keeps a right answer from being a face's.

        To be asked once a step at most: it takes milliseconds, and where there is a doubt as long as the
        judge, who alone says whether it stands in the way.
        """
        self._analyse()
        found = self._analysis
        if found.response is None or found.lag is None:
            return False
        track = self._track.view()
        surface = measure_surface(
            self._samples, track, found.shown, found.response, lag=found.lag, settings=self._model.surface
        )
        lag = find_lag(track, found.shown, found.response.matrix, lag=found.lag, explained=found.explained)
        if not more_may_tell(surface, lag):
            return False
        revealed = [RevealedStep(one.step, one.at) for one in self._sent]
        judged = judge_flash(samples=self._samples, revealed=revealed, model=self._model)
        return judged.finding is ChallengeFinding.NOT_MEASURABLE

    def lag(self) -> float | None:
        """Seconds by which the face follows the claimed appearance; ``None`` while unknown."""
        self._analyse()
        return self._analysis.lag

    def _tells_more(self, sample: FlashSample) -> bool:
        if not self._sent:
            return False
        step = self._sent[-1].step
        if sample.step != step.number or sample.step_since is None:
            return self._since_analysis >= _EVERY
        shown = sample.capture_time - sample.step_since
        return shown >= step.transition_seconds + step.hold_seconds and self._since_analysis >= 2

    def _coloured_answers(self) -> tuple[StepAnswer, ...]:
        response = self._analysis.response
        if response is None:
            return ()
        coloured = {one.step.number for one in self._sent if one.step.bits > 0}
        return tuple(answer for answer in response.steps if answer.number in coloured)

    def _analyse(self) -> None:
        if not self._due:
            return
        self._due = False
        self._since_analysis = 0
        track = self._track.view()
        shown = appearances(track, self._sent)
        lag, explained = self._find_lag(track, shown)
        response = fit_response(
            track,
            shown,
            lag=self._model.lag.usual if lag is None else lag,
            settings=self._model.response,
        )
        self._analysis = _Analysis(shown, lag, explained, response)
        answers = {} if response is None else {one.number: one for one in response.steps}
        self._readings = tuple(
            self._reading(one.step, answers.get(one.step.number), track) for one in self._sent
        )

    def _find_lag(self, track: TrackView, shown: Sequence[Appearance]) -> tuple[float | None, float]:
        """The lag if one stands out, and the share that it explains.

        Looked for anew each time, as the judge does: a first lag that was found by few frames may be another.
        """
        lag, explained = measure_lag(track, shown)
        if lag is None or explained < self._model.lag.least_explained:
            return None, explained
        return lag, explained

    def _reading(self, step: ColourStep, answer: StepAnswer | None, track: TrackView) -> StepReading:
        if answer is not None:
            return StepReading(
                step=step.number,
                frames=answer.frames,
                snr=answer.snr,
                agrees=answer.agrees,
                disturbed=frozenset(),
                settled=True,
            )
        fully = self._rows_of(step, track)
        clean = int((fully & track.clean).sum())
        enough = clean >= self._model.response.least_frames
        return StepReading(
            step=step.number,
            frames=clean,
            snr=0.0,
            agrees=None,
            disturbed=frozenset() if enough else _disturbances(track, fully),
            settled=enough,
        )

    def _rows_of(self, step: ColourStep, track: TrackView) -> NDArray[np.bool_]:
        """The frames that are claimed to show the step, once it can have come in fully."""
        found = self._analysis
        shown = next((one for one in found.shown if one.step.number == step.number), None)
        if shown is None:
            return np.zeros(len(track.times), np.bool_)
        lag = self._model.lag.usual if found.lag is None else found.lag
        since = shown.at + lag + step.transition_seconds
        return np.asarray((track.claims == step.number) & (track.times >= since))


def _disturbances(track: TrackView, rows: NDArray[np.bool_]) -> frozenset[Disturbance]:
    """Why frames among ``rows`` do not count."""
    found = {
        Disturbance.FACE_LOST: rows & ~track.seen,
        Disturbance.MOVED: rows & track.moved,
        Disturbance.EXPOSURE_JUMP: rows & track.leapt,
    }
    return frozenset(reason for reason, where in found.items() if where.any())

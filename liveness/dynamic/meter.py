"""The measurement of each step of the flash while the scan runs.

Adding a frame is cheap, because only its sample is stored. The steps are analysed again only when the result
can change: once the step on display was held, and after every other frame from then on.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.dynamic.challenge import ColourStep, Disturbance, Light, RevealedStep, StepReading
from liveness.dynamic.judge import judge_flash
from liveness.dynamic.measurement.brightness import is_dim, read_exposure
from liveness.dynamic.measurement.freshness import answer_ages
from liveness.dynamic.measurement.lag import find_lag, measure_lag
from liveness.dynamic.measurement.response import Response, StepAnswer, fit_response
from liveness.dynamic.measurement.surface import Surface, may_be_noise, measure_surface
from liveness.dynamic.measurement.track import Appearance, FlashTrack, Sent, TrackView, appearances
from liveness.dynamic.model import FlashModel, LightSettings, load_flash_model
from liveness.dynamic.policy import ChallengeFinding
from liveness.dynamic.sample import FlashSample
from liveness.verdict import NEITHER

_RECENT: Final = 24
"""The number of latest frames from which the light is judged: about a second."""
_EVERY: Final = 12
_LIGHT_EVERY: Final = 6
_STEPS_FOR_LIGHT: Final = 2
"""The frames between two analyses of a flash while no further step is on display, and between two judgements
of the light; the least number of coloured steps from which the light is judged weak."""


@dataclass(frozen=True, slots=True, eq=False)
class _Analysis:
    """The analysis of all frames so far.

    Attributes:
        shown: The steps that appeared, with their times.
        lag: The delay of the face after them, seconds; ``None`` while no lag stands out.
        explained: The share of the face's changes that the lag explains, 0..1.
        response: The face's response; ``None`` while it cannot be fitted.
    """

    shown: tuple[Appearance, ...] = ()
    lag: float | None = None
    explained: float = 0.0
    response: Response | None = None


class _RoomLight:
    """Judges from the latest frames whether the light lets the flash be measured."""

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
        """Return the state of the light, which is judged again every few frames.

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
            # In a dim room the screen itself saturates the skin until the camera adapts its exposure.
            return Light.OK if is_dim(self._recent, lines.dim_lux) else Light.TOO_BRIGHT
        if exposed.level is not None and exposed.level < lines.darkest_skin:
            return Light.TOO_DARK_TO_SEE_FACE
        latest = coloured[-3:]
        if len(coloured) < _STEPS_FOR_LIGHT or any(one.clear for one in latest):
            return Light.OK
        if sum(one.agrees is True for one in latest) >= _STEPS_FOR_LIGHT:
            # Faint answers, but more than noise gives.
            return Light.OK
        if max(one.snr for one in latest) >= self._least_snr:
            return Light.OK
        return Light.WEAK if is_dim(self._recent, lines.dim_lux) else Light.TOO_BRIGHT


class FlashMeter:
    """Implements ``challenge.proof.Meter``. Not safe to call from several threads at once."""

    def __init__(self, model: FlashModel | None = None) -> None:
        """Start without frames.

        Args:
            model: The lines of the measurement; the packaged ones if ``None``.
        """
        self._model = load_flash_model() if model is None else model
        self._track = FlashTrack()
        self._samples: list[FlashSample] = []
        self._sent: list[Sent] = []
        self._light = _RoomLight(self._model.light, least_snr=self._model.response.least_snr)
        self._analysis = _Analysis()
        self._measured: Surface | None = None
        self._since_analysis = 0
        self._due = False
        self._readings: tuple[StepReading, ...] = ()

    def meter_frame(self, sample: FlashSample) -> None:
        """Add the next frame; ignore a frame that is out of order."""
        if not self._track.append_sample(sample):
            return
        if self._sent and sample.arrival_time <= self._sent[-1].at:
            # It had arrived when the step was sent, and waited to be processed.
            self._sent[-1] = replace(self._sent[-1], after_capture=sample.capture_time)
        self._samples.append(sample)
        self._light.add(sample)
        self._since_analysis += 1
        self._due = self._due or self._adds_evidence(sample)

    def note_drawn(self, step: ColourStep, at: float) -> None:
        """Record that ``step`` was drawn at ``at``, seconds on the server's monotonic clock."""
        self._sent.append(Sent(step=step, at=at, after_capture=self._track.latest_capture))
        unknown = StepReading(
            step=step.number, frames=0, snr=0.0, agrees=None, disturbed=frozenset(), settled=False
        )
        self._readings = (*self._readings, unknown)

    def note_sent(self, at: float) -> None:
        """Record when the step drawn last was sent, on the same clock."""
        self._sent[-1] = replace(self._sent[-1], at=max(self._sent[-1].at, at))

    def refresh(self) -> None:
        """Measure again, so that later calls include all frames that were added, as the judge does."""
        self._due = self._since_analysis > 0 or self._due

    def readings(self) -> tuple[StepReading, ...]:
        """Return the measurement of each revealed step, in order."""
        self._analyse()
        return self._readings

    def verified_bits(self) -> float:
        """Return the sum of the colour bits of all steps with a right answer that did not come too late.

        Nothing is deducted for lucky guesses.
        """
        bits = {one.step.number: one.step.colour_bits for one in self._sent}
        return math.fsum(
            bits[reading.step] for reading in self.readings() if reading.agrees and not reading.late
        )

    def light(self) -> Light:
        """Return whether the light lets the flash be measured."""
        self._analyse()
        return self._light.judge(self._coloured_answers())

    def shape_shows(self) -> bool:
        """Return whether the flash shows the shape of a head. Otherwise only motion can show it.

        This needs a response, and other light beside the screen's: in the screen's light alone every part of
        a face responds equally, whatever its shape.
        """
        surface = self._surface()
        return surface is not None and surface.shape.score is not None and surface.shape.score > NEITHER

    def right(self) -> bool:
        """Return whether the challenge is answered by the frames so far, as the judge finds."""
        return self._judged() is ChallengeFinding.RIGHT

    def doubtful(self) -> bool:
        """Return whether the challenge is not measurable yet, but may be after more steps.

        Call it at most once a step. It takes milliseconds, and as long as ``judge_flash`` if noise may be the
        cause of a doubt.
        """
        surface, found = self._surface(), self._analysis
        if surface is None or found.response is None or found.lag is None:
            return False
        lag = find_lag(
            self._track.view(), found.shown, found.response.matrix, lag=found.lag, explained=found.explained
        )
        return may_be_noise(surface, lag) and self._judged() is ChallengeFinding.NOT_MEASURABLE

    def lag(self) -> float | None:
        """Return how long after a colour's claimed appearance the face shows it, seconds, or ``None``."""
        self._analyse()
        return self._analysis.lag

    def _surface(self) -> Surface | None:
        """Return the surface by the analysed frames; ``None`` without a response and a lag."""
        self._analyse()
        found = self._analysis
        if found.response is None or found.lag is None:
            return None
        if self._measured is None:
            self._measured = measure_surface(
                self._samples,
                self._track.view(),
                found.shown,
                found.response,
                lag=found.lag,
                settings=self._model.surface,
            )
        return self._measured

    def _judged(self) -> ChallengeFinding:
        revealed = [RevealedStep(one.step, one.at) for one in self._sent]
        return judge_flash(samples=self._samples, revealed=revealed, model=self._model).finding

    def _adds_evidence(self, sample: FlashSample) -> bool:
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
        self._measured = None
        self._since_analysis = 0
        track = self._track.view()
        shown = appearances(track, self._sent)
        lag, explained = self._find_lag(track, shown)
        lines = self._model.freshness
        used = self._model.lag.usual if lag is None else lag
        ages = answer_ages(track, self._sent, shown, lag=used, round_trip=lines.round_trip)
        late = {number for number, age in ages.items() if age > lines.oldest}
        response = fit_response(
            track,
            shown,
            lag=used,
            settings=self._model.response,
        )
        self._analysis = _Analysis(shown, lag, explained, response)
        answers = {} if response is None else {one.number: one for one in response.steps}
        self._readings = tuple(
            self._reading(one.step, answers.get(one.step.number), track, late=one.step.number in late)
            for one in self._sent
        )

    def _find_lag(self, track: TrackView, shown: Sequence[Appearance]) -> tuple[float | None, float]:
        """Return the lag, or ``None`` if none stands out, and the share that it explains.

        Every analysis measures the lag again, as the judge does, because a lag from few frames may be wrong.
        """
        lag, explained = measure_lag(track, shown)
        if lag is None or explained < self._model.lag.least_explained:
            return None, explained
        return lag, explained

    def _reading(
        self, step: ColourStep, answer: StepAnswer | None, track: TrackView, *, late: bool
    ) -> StepReading:
        if answer is not None:
            return StepReading(
                step=step.number,
                frames=answer.frames,
                snr=answer.snr,
                agrees=answer.agrees,
                clear=answer.clear,
                disturbed=frozenset(),
                settled=True,
                late=late,
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
        """Return a mask of the frames that claim to show the step, after its lag and transition."""
        found = self._analysis
        shown = next((one for one in found.shown if one.step.number == step.number), None)
        if shown is None:
            return np.zeros(len(track.times), np.bool_)
        lag = self._model.lag.usual if found.lag is None else found.lag
        since = shown.at + lag + step.transition_seconds
        return np.asarray((track.claims == step.number) & (track.times >= since))


def _disturbances(track: TrackView, rows: NDArray[np.bool_]) -> frozenset[Disturbance]:
    """Return the disturbances of the frames ``rows``."""
    found = {
        Disturbance.FACE_LOST: rows & ~track.seen,
        Disturbance.MOVED: rows & track.moved,
        Disturbance.EXPOSURE_JUMP: rows & track.leapt,
    }
    return frozenset(reason for reason, where in found.items() if where.any())

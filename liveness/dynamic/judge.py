"""What a flash scan proves: right, wrong, absent, or not measurable; and how many bits it verifies.

**Bits.** Only colours count. A step's colour is verified where the measured one is the commanded one, clear
of all others, and the device's claim of when it appeared fits the order of events. Transitions and holds
verify nothing: the device itself says when a colour appeared, so a lying one can fit its claims to the
changes of a recording. Steps that were shown and not verified cost, whatever their excuse: the sum is net of
chance (``entropy.bits_beyond_chance``).

**What a blind guesser gets.** Who does not know the colours meets each with probability 1/8 (the first) or
1/7, and his answers are independent of the draws. By Ville's inequality he reaches a floor of b net bits in
an attempt with probability 2^-b at most, however long he goes on and whatever he leaves out: 1 in 1024 for 10
bits, 1 in 4096 for 12, 1 in 65536 for 16. Every further attempt of a check adds as much. The response matrix
is fitted to the same frames and could give him more; ``tests/liveness/dynamic/test_guessing.py`` measures
that it does not. It says nothing about who does know the colours: relighting in real time is left to lag,
shape and the device.

**Right takes a face's shape where shape can be told.** An answer whose shape is a sheet's, that lies over the
picture, or that comes from a few spots, as of a screen mirrored in glass, is never ``RIGHT``; it is ``WRONG``
only where that is beyond doubt. Where shape cannot be told, in the dark or under much other light, it says
nothing: a sheet that answers the colours is ``RIGHT``, and nothing that the light looks like is ``WRONG``.

**Never wrong for want of light.** ``WRONG`` needs an answer that was measured; ``ABSENT`` needs metadata that
say the room is dim, and a picture that bears them out. All else that is no answer is ``NOT_MEASURABLE``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liveness.dynamic.challenge import RevealedStep, bits_beyond_chance
from liveness.dynamic.finding import ChallengeFinding
from liveness.dynamic.measurement import (
    BACKGROUND,
    GLARE,
    OVERLAY,
    SHAPE,
    Appearance,
    FlashTrack,
    Freshness,
    LagFinding,
    Response,
    Sent,
    StepAnswer,
    TrackView,
    appearances,
    expected_response,
    find_lag,
    find_leaps,
    fit_response,
    freshness_signal,
    is_dim,
    lag_signal,
    lux_borne_out,
    measure_freshness,
    measure_lag,
    measure_surface,
    read_exposure,
    scene_lux,
)
from liveness.dynamic.model import FlashModel
from liveness.dynamic.sample import FlashSample
from liveness.express.scoring import log_odds
from liveness.signal import Signal, assessed, not_assessed
from liveness.verdict import VerdictReason

__all__ = ["FlashResult", "judge_flash"]

_COLOURS, _COLOURS_LABEL = "flash_colours", "Colours of the answer"
_NEITHER = 0.5
"""The score that speaks for neither side."""


@dataclass(frozen=True, slots=True)
class FlashResult:
    """The answer to a screen flash.

    Attributes:
        finding: See ``ChallengeFinding``.
        reason: Why it is not RIGHT, or what is missing; ``None`` for RIGHT.
        verified_bits: Colour bits that were verified, net of chance; 0 or more.
        odds: Log odds of a face by all signals together.
        lag: Seconds by which the face follows the screen; ``None`` where no lag stands out.
        steps: The answers to the coloured steps that were seen, in order.
        signals: Every measurement, assessed or not, in a fixed order.
        detail: Why, in plain words.
    """

    finding: ChallengeFinding
    reason: VerdictReason | None
    verified_bits: float
    odds: float
    lag: float | None
    steps: tuple[StepAnswer, ...]
    signals: tuple[Signal, ...]
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    samples: tuple[FlashSample, ...]
    track: TrackView
    sent: tuple[Sent, ...]
    shown: tuple[Appearance, ...]
    lag: LagFinding
    response: Response | None
    answers: tuple[StepAnswer, ...]
    freshness: Freshness

    @property
    def told(self) -> int:
        return sum(answer.agrees is not None for answer in self.answers)

    @property
    def right(self) -> int:
        return sum(answer.agrees is True for answer in self.answers)

    @property
    def wrong(self) -> int:
        return self.told - self.right


def judge_flash(
    *, samples: Sequence[FlashSample], revealed: Sequence[RevealedStep], model: FlashModel
) -> FlashResult:
    """Judge one flash attempt.

    Args:
        samples: Every frame of the attempt, in order of arrival.
        revealed: Every step that was sent, in order, with the lead-in and the closing step.
        model: ``liveness.dynamic.model.load_flash_model()``.
    """
    measured = _measure(samples, revealed, model)
    signals = _signals(measured, model)
    odds = _odds(signals, model)
    finding, reason, detail = _find(measured, signals, odds, model)
    counted = [signal for signal in signals if signal.name in model.judge.weights and signal.assessed]
    total = sum(model.judge.weights[signal.name] for signal in counted)
    return FlashResult(
        finding=finding,
        reason=reason,
        verified_bits=_bits(measured, model),
        odds=odds,
        lag=measured.lag.lag,
        steps=measured.answers,
        signals=tuple(
            replace(signal, weight=model.judge.weights[signal.name] / total) if signal in counted else signal
            for signal in signals
        ),
        detail=detail,
    )


def _measure(
    samples: Sequence[FlashSample], revealed: Sequence[RevealedStep], model: FlashModel
) -> _Measured:
    collected = FlashTrack()
    taken: list[FlashSample] = []
    sent: list[Sent] = []
    waiting = list(revealed)
    closed = next((one.at for one in revealed if one.step.last), math.inf)
    for sample in samples:
        if sample.arrival_time > closed:
            # What was proved when the challenge ended is not proved better by a grey that follows.
            break
        while waiting and sample.arrival_time > waiting[0].at:
            one = waiting.pop(0)
            sent.append(Sent(step=one.step, at=one.at, after_capture=collected.latest_capture))
        if collected.add(sample):
            taken.append(sample)
    sent.extend(Sent(one.step, one.at, collected.latest_capture) for one in waiting)
    track = collected.view()
    shown = appearances(track, sent)
    lag, explained = measure_lag(track, shown)
    if lag is None or explained < model.lag.least_explained:
        lag, explained = None, 0.0
    used = model.lag.usual if lag is None else lag
    response = fit_response(track, shown, lag=used, settings=model.response)
    coloured = {one.step.number for one in revealed if one.step.bits > 0}
    answers = () if response is None else tuple(one for one in response.steps if one.number in coloured)
    return _Measured(
        samples=tuple(taken),
        track=track,
        sent=tuple(sent),
        shown=shown,
        lag=_lag_finding(track, shown, response, lag, explained),
        response=response if lag is not None else None,
        answers=answers,
        freshness=measure_freshness(track, sent, shown, lag=used),
    )


def _lag_finding(
    track: TrackView,
    shown: Sequence[Appearance],
    response: Response | None,
    lag: float | None,
    explained: float,
) -> LagFinding:
    if lag is None or response is None:
        return LagFinding(None, explained, None, None)
    return find_lag(track, shown, response.matrix, lag=lag, explained=explained)


def _signals(measured: _Measured, model: FlashModel) -> tuple[Signal, ...]:
    response, lag = measured.response, measured.lag.lag
    answer = response if measured.right else None
    surface = measure_surface(
        measured.samples, measured.track, measured.shown, answer, lag=lag, settings=model.surface
    )
    return (
        _colours_signal(measured),
        lag_signal(measured.lag, model.lag),
        surface.shape,
        surface.overlay,
        surface.glare,
        surface.background,
        freshness_signal(measured.freshness, model.freshness),
    )


def _colours_signal(measured: _Measured) -> Signal:
    if not measured.told:
        reason = "no step's colour can be told: the answer is too weak, or there is none"
        return not_assessed(name=_COLOURS, label=_COLOURS_LABEL, reason=reason)
    strongest = max(answer.snr for answer in measured.answers)
    detail = (
        f"{measured.right} of {measured.told} colours that could be told were the ones shown, of "
        f"{len(measured.answers)} that were seen; signal over noise is up to {strongest:.0f}"
    )
    score = (measured.right + 0.5) / (measured.told + 1)
    return assessed(name=_COLOURS, label=_COLOURS_LABEL, score=score, detail=detail)


def _odds(signals: Sequence[Signal], model: FlashModel) -> float:
    """Log odds of a face: what speaks for one makes up for little of what speaks against it."""
    parts = [
        model.judge.weights.get(signal.name, 0.0) * log_odds(signal.score)
        for signal in signals
        if signal.score is not None
    ]
    against = sum(part for part in parts if part < 0)
    speaks_for = sum(part for part in parts if part > 0)
    return against + min(speaks_for, max(model.judge.kept_for, speaks_for + model.judge.outweighs * against))


def _bits(measured: _Measured, model: FlashModel) -> float:
    early = {one.step.number for one in measured.shown if one.early > model.freshness.early}
    agreed = {one.number for one in measured.answers if one.agrees} - early
    coloured = [one.step for one in measured.sent if one.step.bits > 0]
    verified = [step.colour_bits for step in coloured if step.number in agreed]
    return bits_beyond_chance(verified, shown=len(coloured))


def _against(signals: Sequence[Signal], model: FlashModel) -> frozenset[str]:
    """The signals that speak against a face and count."""
    return frozenset(
        one.name
        for one in signals
        if one.score is not None and one.score < _NEITHER and model.judge.weights.get(one.name, 0.0) > 0
    )


def _telling(signals: Sequence[Signal], against: frozenset[str], model: FlashModel) -> bool:
    """Whether what speaks against a face may call it an attack.

    Nothing may where the shape cannot be told: light that leaves it open leaves the rest to errors as well.
    The shape may, where it is plain and a background beside it shows that there is other light than the
    screen's. So may what lies over the picture, where it is plain and the background answers as well. Of the
    others it takes two; glare is none of them, as sweat shines too.
    The background is none of them: a wall, a pillow or a headrest right behind a genuine head answers as much
    as the head does, whatever else the scan looks like.
    """
    scores = {one.name: one.score for one in signals if one.score is not None}
    if SHAPE not in scores:
        return False
    if SHAPE in against and BACKGROUND in scores and scores[SHAPE] < model.shape.sure:
        return True
    if {OVERLAY, BACKGROUND} <= against and scores[OVERLAY] < model.overlay.sure:
        return True
    return len(against - {SHAPE, OVERLAY, GLARE, BACKGROUND}) > 1


def _find(
    measured: _Measured, signals: Sequence[Signal], odds: float, model: FlashModel
) -> tuple[ChallengeFinding, VerdictReason | None, str]:
    judge = model.judge
    told, right, wrong = measured.told, measured.right, measured.wrong
    if wrong >= judge.least_wrong and wrong >= judge.wrong_share * told:
        detail = f"{wrong} of {told} colours on the face are not the ones that the screen showed"
        return ChallengeFinding.WRONG, VerdictReason.ANOTHER_CHALLENGE_ANSWERED, detail
    lag = model.lag.usual if measured.lag.lag is None else measured.lag.lag
    leaps = find_leaps(measured.track, measured.shown, lag=lag, settings=model.leaps)
    if (
        right < judge.least_right
        and leaps.foreign >= judge.foreign_leaps
        and leaps.foreign >= judge.foreign_share * leaps.all
    ):
        if not leaps.room_seen:
            detail = "the face's colour leaps not with the screen, and no background tells whether the room's"
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
        detail = f"the face's colour leaps {leaps.all} times, {leaps.foreign} of them not with the screen"
        return ChallengeFinding.WRONG, VerdictReason.ANOTHER_CHALLENGE_ANSWERED, detail
    if right >= judge.least_right and wrong <= judge.most_wrong * told:
        against = _against(signals, model)
        if odds < judge.wrong_odds and _telling(signals, against, model):
            detail = "the light on the picture is not that on a face"
            return ChallengeFinding.WRONG, VerdictReason.LIGHT_FITS_NO_FACE, detail
        if odds < judge.wrong_odds or not against.isdisjoint((SHAPE, OVERLAY, GLARE)):
            detail = "the light may not be that on a face: " + ", ".join(
                one.label.lower() for one in signals if one.name in against
            )
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
        if not measured.lag.told:
            # Colours that are right in the mean of their steps and too faint for anything else to be measured
            # are what a display's glass throws back.
            detail = "colours are the screen's, but nothing tells that they change when it does"
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
        if measured.freshness.late > model.freshness.latest or _late(measured, model):
            detail = "the face follows the screen too late to tell what causes it"
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_ANSWERED_LATE, detail
        return (
            ChallengeFinding.RIGHT,
            None,
            "the face is lit by the colours that the screen showed, when it showed them",
        )
    return _unanswered(measured, model)


def _late(measured: _Measured, model: FlashModel) -> bool:
    return measured.lag.lag is not None and measured.lag.lag > model.lag.longest


def _unanswered(measured: _Measured, model: FlashModel) -> tuple[ChallengeFinding, VerdictReason, str]:
    """Why there is no answer: the light, or nobody there to give one."""
    exposed = read_exposure(measured.samples)
    dark = exposed.level is None or exposed.level < model.light.darkest_skin
    if exposed.level is not None and dark:
        return ChallengeFinding.NOT_MEASURABLE, VerdictReason.TOO_DARK_TO_MEASURE, "the face is nearly black"
    if exposed.lost > model.light.most_lost and is_dim(measured.samples, model.light.dim_lux):
        detail = "the screen's own light saturates the skin: the camera's exposure did not follow it"
        return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
    if exposed.lost > model.light.most_lost:
        return (
            ChallengeFinding.NOT_MEASURABLE,
            VerdictReason.TOO_BRIGHT_TO_MEASURE,
            "most of the skin is saturated",
        )
    lux = scene_lux(measured.samples)
    seen = [one for one in measured.answers if one.frames >= model.response.least_frames]
    if len(seen) < model.judge.least_right or measured.right > 0:
        detail = "too few steps could be told" if measured.right else "too few steps were seen"
        return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
    plain = lux is not None and lux < model.light.plain_lux and lux_borne_out(measured.samples)
    if lux is not None and plain and _none_there(measured, lux, model):
        detail = f"at about {lux:.0f} lx any screen's light would show, and none does"
        return ChallengeFinding.ABSENT, VerdictReason.CHALLENGE_NOT_ANSWERED, detail
    if lux is not None and lux < model.light.dim_lux:
        return (
            ChallengeFinding.NOT_MEASURABLE,
            VerdictReason.SCREEN_TOO_DIM,
            "the screen's light hardly shows in a dim room",
        )
    return (
        ChallengeFinding.NOT_MEASURABLE,
        VerdictReason.TOO_BRIGHT_TO_MEASURE,
        "other light drowns the screen's",
    )


def _none_there(measured: _Measured, lux: float, model: FlashModel) -> bool:
    """Whether any answer is far below what the dimmest screen would cause."""
    rows = np.flatnonzero(measured.track.clean)
    if len(rows) < model.light.absent_frames:
        return False
    response = fit_response(
        measured.track, measured.shown, lag=measured.lag.lag or model.lag.usual, settings=model.response
    )
    if response is None:
        return False
    bound = abs(response.strength) + model.light.absent_errors * response.strength_error
    return bound < model.light.absent_share * expected_response(lux, model.light.faintest_screen_lux)

"""The judgement of a flash scan: its finding (RIGHT, WRONG, ABSENT, NOT_MEASURABLE) and its verified bits.

**Bits.** Only colours count. A step's colour is verified if the measured colour is the commanded one,
distinct from all others, the claimed time of its appearance fits the order of events, and the answer is not
too old by the server's clock (``measurement.freshness``). Transitions and
holds verify nothing: the device itself claims when a colour appeared, so a lying device can fit its claims
to the changes of a recording. Every step that was shown and not verified costs bits, whatever the reason:
the sum is net of chance (``bits_beyond_chance``).

**Blind guesses.** An attacker who does not know the colours meets each with probability 1/8 (the first) or
1/7, independently of the draws. By Ville's inequality, an attempt reaches b net bits with probability at
most 2^-b, however long it is and whichever steps it omits: 1 in 1024 for 10 bits, 1 in 4096 for 12, 1 in
65536 for 16. Every further attempt of a check adds as much. This presumes that response matrix, lag and
drift are known, but they are fitted to the same frames, and after few colours they may fit guesses. In
``tests/liveness/dynamic/test_judge.py`` the bound holds for whole scripts. If the scan may end after any
colour from the fifth on, it does not hold strictly: a guess may reach 10 bits in up to 1 of 100 scans by the
colours alone. The bits give no protection against an attacker who knows the colours: lag, shape and the
device tests address relighting in real time.

**Faint answers.** An answer is clear if it stands out from noise by itself. A fainter one verifies its colour
too if the commanded colour explains it best, because a guess is right no more often if it is faint. But faint
answers show that a face answers, and count for or against RIGHT, only if all answers together reach the
lowest floor of bits. Without that, light that answers nothing could be RIGHT by chance.

**RIGHT requires a face's shape if shape is measurable.** The answer is never ``RIGHT`` if it has the shape of
a sheet, if it was laid over the picture, or if it comes from a few spots, like a screen mirrored in glass; it
is ``WRONG`` only beyond doubt. In the dark and under much other light, shape is not measurable and does not
count: a sheet that answers the colours is then ``RIGHT``, and no property of the light makes an answer
``WRONG``.

**Poor light is never WRONG.** ``WRONG`` requires a measured answer; ``ABSENT`` requires metadata that state
a dim room, and frames consistent with them. Every other missing answer is ``NOT_MEASURABLE``.

**One verdict** combines Express' result and the finding of a challenge. ``liveness.fusion`` judges the
passive signals. The challenge changes that verdict as follows:

* Express says SPOOF: SPOOF. A mask or a print answers the flash as well as a face.
* The challenge is WRONG or ABSENT: SPOOF.
* The challenge is NOT_MEASURABLE, or too few bits are verified: INCONCLUSIVE, never SPOOF or LIVE. If answers
  came too late to be verified, that is the reason.
* The challenge is RIGHT, but the policy requires a blink and none was measured: INCONCLUSIVE.
* The challenge is RIGHT, but motion does not show a head's depth, and depth is required: by the policy, or
  because the light does not show the shape of a head. (In the dark, every part of any surface follows the
  screen equally; in even light, those of a head may differ as little as those of a bent sheet.) INCONCLUSIVE.
* The challenge is RIGHT otherwise: Express' verdict stands. Its confidence rises if the flash's signals
  support LIVE; if they outweigh LIVE, the verdict is INCONCLUSIVE. A right answer never turns another verdict
  into LIVE, because paper and masks are lit as a face is. Express and the flash stop different attacks, and
  LIVE requires both.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from liveness.dynamic.challenge import RevealedStep, bits_beyond_chance
from liveness.dynamic.measurement.brightness import (
    expected_response,
    is_dim,
    lux_borne_out,
    read_exposure,
    scene_lux,
)
from liveness.dynamic.measurement.freshness import Freshness, find_leaps, freshness_signal, measure_freshness
from liveness.dynamic.measurement.lag import LagFinding, earliest_lag, find_lag, lag_signal, measure_lag
from liveness.dynamic.measurement.response import Response, StepAnswer, fit_response
from liveness.dynamic.measurement.surface import BACKGROUND, GLARE, OVERLAY, SHAPE, measure_surface
from liveness.dynamic.measurement.track import Appearance, FlashTrack, Sent, TrackView, appearances
from liveness.dynamic.model import FlashModel, JudgeSettings
from liveness.dynamic.movement import MovementResult
from liveness.dynamic.policy import BitFloor, ChallengeFinding, DynamicPolicy
from liveness.dynamic.sample import FlashSample
from liveness.express.signals import Blink, depth_odds
from liveness.verdict import (
    NEITHER,
    LivenessResult,
    Signal,
    Verdict,
    VerdictReason,
    assessed,
    log_odds,
    not_assessed,
)

_COLOURS, _COLOURS_LABEL = "flash_colours", "Colours of the answer"


@dataclass(frozen=True, slots=True)
class FlashResult:
    """The result of a flash challenge.

    Attributes:
        finding: See ``ChallengeFinding``.
        reason: Why the finding is not RIGHT; ``None`` for RIGHT.
        verified_bits: Colour bits that were verified, net of chance; 0 or more.
        odds: Log odds of a face, from all signals.
        lag: The delay of the face after the screen, seconds; ``None`` if no lag stands out.
        steps: The answers to the measured coloured steps, in order.
        late: The numbers of the steps whose answers came too late to be verified, by the server's clock.
        signals: Every measurement, assessed or not, in a fixed order.
        detail: The explanation of the finding.
    """

    finding: ChallengeFinding
    reason: VerdictReason | None
    verified_bits: float
    odds: float
    lag: float | None
    steps: tuple[StepAnswer, ...]
    late: frozenset[int]
    signals: tuple[Signal, ...]
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    samples: tuple[FlashSample, ...]
    track: TrackView
    shown: tuple[Appearance, ...]
    lag: LagFinding
    response: Response | None
    answers: tuple[StepAnswer, ...]
    freshness: Freshness
    late: frozenset[int]
    bits: float

    @property
    def decided(self) -> tuple[StepAnswer, ...]:
        """The clear answers, and the faint ones too if all together are beyond chance."""
        beyond = self.bits >= BitFloor.LOW
        return tuple(one for one in self.answers if one.clear or (beyond and one.agrees))

    @property
    def right(self) -> int:
        return sum(answer.agrees is True for answer in self.decided)

    @property
    def wrong(self) -> int:
        return len(self.decided) - self.right


def judge_flash(
    *, samples: Sequence[FlashSample], revealed: Sequence[RevealedStep], model: FlashModel
) -> FlashResult:
    """Judge one flash attempt.

    Args:
        samples: Every frame of the attempt, in order of arrival.
        revealed: Every step that was sent, in order, with the lead-in and the closing step.
        model: ``liveness.dynamic.model.load_flash_model()``.
    """
    # 1. Measure when and how the face answered each colour.
    measured = _measure(samples, revealed, model)
    # 2. Score each property of the answer.
    signals = _signals(measured, model)
    # 3. Join the scores, and find what answered: a face, an attack, or nothing that could be measured.
    odds = _odds(signals, model)
    finding, reason, detail = _find(measured, signals, odds, model)
    # 4. State how much each score counted.
    counted = [signal for signal in signals if signal.name in model.judge.weights and signal.assessed]
    total = sum(model.judge.weights[signal.name] for signal in counted)
    return FlashResult(
        finding=finding,
        reason=reason,
        verified_bits=measured.bits,
        odds=odds,
        lag=measured.lag.lag,
        steps=measured.answers,
        late=measured.late,
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
            # The grey after the last step proves nothing further.
            break
        while waiting and sample.arrival_time > waiting[0].at:
            one = waiting.pop(0)
            sent.append(Sent(step=one.step, at=one.at, after_capture=collected.latest_capture))
        if collected.append_sample(sample):
            taken.append(sample)
    sent.extend(Sent(one.step, one.at, collected.latest_capture) for one in waiting)
    track = collected.view()
    shown = appearances(track, sent)
    lag, explained = measure_lag(track, shown)
    if lag is None or explained < model.lag.least_explained:
        lag, explained = None, 0.0
    used = model.lag.usual if lag is None else lag
    freshness = measure_freshness(track, sent, shown, lag=used, settings=model.freshness)
    response = fit_response(track, shown, lag=used, settings=model.response)
    late = freshness.late(model.freshness.oldest)
    coloured = {one.step.number for one in revealed if one.step.bits > 0}
    answers = () if response is None else tuple(one for one in response.steps if one.number in coloured)
    return _Measured(
        samples=tuple(taken),
        track=track,
        shown=shown,
        lag=_lag_finding(track, shown, response, lag, explained),
        response=response if lag is not None else None,
        answers=answers,
        freshness=freshness,
        late=late,
        bits=_bits(sent, shown, answers, late, model),
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
        lag_signal(measured.lag, model.lag, earliest=earliest_lag(measured.track, margin=model.lag.early)),
        surface.shape,
        surface.overlay,
        surface.glare,
        surface.background,
        freshness_signal(measured.freshness, model.freshness),
    )


def _colours_signal(measured: _Measured) -> Signal:
    if not measured.decided:
        reason = "no step's colour can be decided: the response is too weak, or there is none"
        return not_assessed(name=_COLOURS, label=_COLOURS_LABEL, reason=reason)
    strongest = max(answer.snr for answer in measured.answers)
    detail = (
        f"{measured.right} of {len(measured.decided)} decided colours are the ones shown; "
        f"{len(measured.answers)} steps were measured; signal over noise is up to {strongest:.0f}"
    )
    score = (measured.right + 0.5) / (len(measured.decided) + 1)
    return assessed(name=_COLOURS, label=_COLOURS_LABEL, score=score, detail=detail)


def _odds(signals: Sequence[Signal], model: FlashModel) -> float:
    """Return the log odds of a face; signals for a face only partly cancel signals against it."""
    parts = [
        model.judge.weights.get(signal.name, 0.0) * log_odds(signal.score)
        for signal in signals
        if signal.score is not None
    ]
    against = sum(part for part in parts if part < 0)
    speaks_for = sum(part for part in parts if part > 0)
    return against + min(speaks_for, max(model.judge.kept_for, speaks_for + model.judge.outweighs * against))


def _bits(
    sent: Sequence[Sent],
    shown: Sequence[Appearance],
    answers: Sequence[StepAnswer],
    late: frozenset[int],
    model: FlashModel,
) -> float:
    early = {one.step.number for one in shown if one.early > model.freshness.early}
    agreed = {one.number for one in answers if one.agrees} - early - late
    coloured = [one.step for one in sent if one.step.bits > 0]
    verified = [step.colour_bits for step in coloured if step.number in agreed]
    return bits_beyond_chance(verified, shown=len(coloured))


def _against(signals: Sequence[Signal], model: FlashModel) -> frozenset[str]:
    """Return the names of the weighted signals whose score is against a face."""
    return frozenset(
        one.name
        for one in signals
        if one.score is not None and one.score < NEITHER and model.judge.weights.get(one.name, 0.0) > 0
    )


def _suffices_for_wrong(signals: Sequence[Signal], against: frozenset[str], model: FlashModel) -> bool:
    """Return whether the signals against a face suffice for WRONG.

    * Without an assessed shape they never do: in such light the other signals are unreliable too.
    * The shape alone suffices if its score is below ``sure`` and the background was assessed, which shows
      that there is other light than the screen's.
    * The overlay suffices if its score is below ``sure`` and the background is also against a face.
    * Otherwise two further signals are required. Glare does not count, because sweat shines too. The
      background does not count, because a wall, a pillow or a headrest right behind a genuine head responds
      as much as the head does.
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
    decided, right, wrong = len(measured.decided), measured.right, measured.wrong
    if wrong >= judge.least_wrong and wrong >= judge.wrong_share * decided:
        detail = f"{wrong} of {decided} colours on the face are not the ones that the screen showed"
        return ChallengeFinding.WRONG, VerdictReason.ANOTHER_CHALLENGE_ANSWERED, detail
    lag = model.lag.usual if measured.lag.lag is None else measured.lag.lag
    leaps = find_leaps(measured.track, measured.shown, lag=lag, settings=model.leaps)
    if (
        right < judge.least_right
        and leaps.foreign >= judge.foreign_leaps
        and leaps.foreign >= judge.foreign_share * leaps.all
    ):
        if not leaps.room_seen:
            detail = "the face's colour leaps without the screen's, and no background is visible to compare"
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
        detail = f"the face's colour leaps {leaps.all} times, of which {leaps.foreign} are not the screen's"
        return ChallengeFinding.WRONG, VerdictReason.ANOTHER_CHALLENGE_ANSWERED, detail
    if right >= judge.least_right and wrong <= judge.most_wrong * decided:
        against = _against(signals, model)
        if odds < judge.wrong_odds and _suffices_for_wrong(signals, against, model):
            detail = "the light in the frames is not light on a face"
            return ChallengeFinding.WRONG, VerdictReason.LIGHT_FITS_NO_FACE, detail
        if odds < judge.wrong_odds or not against.isdisjoint((SHAPE, OVERLAY, GLARE)):
            detail = "the light may not be light on a face: " + ", ".join(
                one.label.lower() for one in signals if one.name in against
            )
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
        if not measured.lag.comparable:
            # The glass of a display reflects the right colours on average, but too faintly for any other
            # measurement.
            detail = "the colours are the screen's, but the times of their changes could not be measured"
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
        if _late(measured, model):
            detail = "the face follows the screen too late to determine the cause"
            return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_ANSWERED_LATE, detail
        return (
            ChallengeFinding.RIGHT,
            None,
            "the face is lit by the colours that the screen showed, when it showed them",
        )
    return _unanswered(measured, model)


def _late(measured: _Measured, model: FlashModel) -> bool:
    """Return whether display and camera do not explain the lag, or most right answers are too old."""
    late = sum(answer.agrees is True and answer.number in measured.late for answer in measured.decided)
    return 2 * late > measured.right or (measured.lag.lag or 0.0) > model.lag.longest


def _unanswered(measured: _Measured, model: FlashModel) -> tuple[ChallengeFinding, VerdictReason, str]:
    """Return the finding if there is no answer: ABSENT, or NOT_MEASURABLE with the reason."""
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
    least = model.judge.least_right
    if len(seen) < least or measured.right >= least:
        detail = "too few steps were measured" if len(seen) < least else "the colours contradict each other"
        return ChallengeFinding.NOT_MEASURABLE, VerdictReason.CHALLENGE_NOT_MEASURABLE, detail
    plain = lux is not None and lux < model.light.plain_lux and lux_borne_out(measured.samples)
    if lux is not None and plain and not measured.right and _none_there(measured, lux, model):
        detail = f"at about {lux:.0f} lx the light of any screen is measurable, and none was measured"
        return ChallengeFinding.ABSENT, VerdictReason.CHALLENGE_NOT_ANSWERED, detail
    if lux is not None and lux < model.light.dim_lux:
        return (
            ChallengeFinding.NOT_MEASURABLE,
            VerdictReason.SCREEN_TOO_DIM,
            "the screen's light is barely measurable, although the room is dim",
        )
    return (
        ChallengeFinding.NOT_MEASURABLE,
        VerdictReason.TOO_BRIGHT_TO_MEASURE,
        "other light drowns the screen's",
    )


def _none_there(measured: _Measured, lux: float, model: FlashModel) -> bool:
    """Return whether the response is far below that to the dimmest screen in use."""
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


_WRONG_SCORE = 2.0
"""The highest confidence, 0..100, of a SPOOF by a challenge. Set by hand."""
_UNSURE = 0.0001
"""The least distance of a probability from 0 and 1, so that log odds are finite."""
_FLASH_SHARE = 0.5
"""The flash's share of the displayed weights if Express also took part. It does not enter the odds."""


def combine_flash(
    *,
    express: LivenessResult,
    flash: FlashResult,
    dynamic: DynamicPolicy,
    settings: JudgeSettings,
) -> LivenessResult:
    """Return the liveness result of a scan with a flash.

    Args:
        express: The result of the passive signals of the same frames.
        dynamic: The least verified bits, and whether a blink and depth are required.
        settings: ``FlashModel.judge``.
    """
    signals = _together(express.signals, flash.signals)
    if express.verdict is Verdict.SPOOF:
        reasons = express.reasons if flash.reason is None else (*express.reasons, flash.reason)
        return replace(express, signals=signals, reasons=tuple(dict.fromkeys(reasons)))
    reason = VerdictReason.CHALLENGE_NOT_MEASURABLE if flash.reason is None else flash.reason
    match flash.finding:
        case ChallengeFinding.WRONG | ChallengeFinding.ABSENT:
            return _spoof(express, signals, reason)
        case ChallengeFinding.NOT_MEASURABLE:
            return _undecided(express, signals, reason)
        case ChallengeFinding.RIGHT:
            if flash.verified_bits < dynamic.minimum_bits:
                few = VerdictReason.TOO_FEW_CHALLENGE_BITS
                return _undecided(
                    express, signals, VerdictReason.CHALLENGE_ANSWERED_LATE if flash.late else few
                )
            if dynamic.blink and not _blinked(express):
                return _undecided(express, signals, VerdictReason.BLINK_NOT_SEEN)
            depth_needed = dynamic.depth or not _shaped(flash.signals)
            if depth_needed and depth_odds(express.signals) < settings.depth_odds:
                return _undecided(express, signals, VerdictReason.DEPTH_NOT_SEEN)
            odds = min(settings.most_for, max(-settings.most_against, flash.odds))
            return _weighed(express, signals, odds)


def combine_movement(
    *, express: LivenessResult, movement: MovementResult, dynamic: DynamicPolicy
) -> LivenessResult:
    """Return the liveness result of a scan with the movement challenge, the fallback of the flash.

    A right answer does not change Express' result, because Express' motion signals measure the same depth. If
    a blink is required and none was measured, the result is INCONCLUSIVE: a rigid mask approaches as well.

    Args:
        express: The result of the passive signals of the same frames.
        dynamic: Whether a blink is required; nothing else of it counts.
    """
    signals = (*express.signals, *movement.signals)
    if express.verdict is Verdict.SPOOF:
        return replace(express, signals=signals)
    match movement.finding:
        case ChallengeFinding.WRONG:
            return _spoof(express, signals, VerdictReason.MOVES_AS_A_PLANE)
        case ChallengeFinding.ABSENT | ChallengeFinding.NOT_MEASURABLE:
            return _undecided(express, signals, VerdictReason.CHALLENGE_NOT_MEASURABLE)
        case ChallengeFinding.RIGHT:
            if dynamic.blink and not _blinked(express):
                return _undecided(express, signals, VerdictReason.BLINK_NOT_SEEN)
            return replace(express, signals=signals)


def _together(express: Sequence[Signal], flash: Sequence[Signal]) -> tuple[Signal, ...]:
    """Return all signals, with weights that sum to 1 over the assessed ones."""
    shares = sum(signal.weight for signal in express), sum(signal.weight for signal in flash)
    part = _FLASH_SHARE if min(shares) > 0 else 1.0
    rest = 1 - part if min(shares) > 0 else 1.0
    return (
        *(replace(signal, weight=signal.weight * rest) for signal in express),
        *(replace(signal, weight=signal.weight * part) for signal in flash),
    )


def _shaped(signals: Sequence[Signal]) -> bool:
    """Return whether the light shows the shape of a head; one that counts for neither side does not."""
    return any(one.name == SHAPE and one.score is not None and one.score > NEITHER for one in signals)


def _blinked(express: LivenessResult) -> bool:
    return any(one.name == Blink.name and one.passed for one in express.signals)


def _spoof(express: LivenessResult, signals: tuple[Signal, ...], reason: VerdictReason) -> LivenessResult:
    return replace(
        express,
        verdict=Verdict.SPOOF,
        score=min(express.score, _WRONG_SCORE),
        signals=signals,
        reasons=tuple(dict.fromkeys((reason, *_doubts(express)))),
    )


def _undecided(express: LivenessResult, signals: tuple[Signal, ...], reason: VerdictReason) -> LivenessResult:
    return replace(
        express,
        verdict=Verdict.INCONCLUSIVE,
        signals=signals,
        reasons=tuple(dict.fromkeys((reason, *_doubts(express)))),
    )


def _doubts(express: LivenessResult) -> tuple[VerdictReason, ...]:
    return tuple(one for one in express.reasons if one is not VerdictReason.LOOKS_ALIVE)


def _weighed(express: LivenessResult, signals: tuple[Signal, ...], odds: float) -> LivenessResult:
    """Add the flash's log odds to Express' score; log odds for life count only if Express' verdict is LIVE.

    With a right answer, signals against a face can turn LIVE only into INCONCLUSIVE, never into SPOOF.
    """
    alive = express.verdict is Verdict.LIVE
    held = min(1 - _UNSURE, max(_UNSURE, express.score / 100))
    total = math.log(held / (1 - held)) + (odds if alive else min(0.0, odds))
    score = 100 / (1 + math.exp(-total))
    if alive and score >= express.policy.live_threshold:
        return replace(express, score=score, signals=signals, reasons=(VerdictReason.LOOKS_ALIVE,))
    doubts = _doubts(express)
    if not doubts or score < express.policy.live_threshold:
        doubts = (*doubts, VerdictReason.EVIDENCE_TOO_WEAK)
    return replace(
        express,
        verdict=Verdict.INCONCLUSIVE,
        score=score,
        signals=signals,
        reasons=tuple(dict.fromkeys(doubts)),
    )

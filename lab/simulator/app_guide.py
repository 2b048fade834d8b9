"""Simulates the app's prompts (move, fill an oval, blink, turn the head, open the mouth), and the person."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache

import numpy as np

from lab.simulator.geometry import ReliefPose
from lab.simulator.motion import BlinkMotion, HeldMotion
from liveness import FaceExtent, Oval

_REACTION_SECONDS = (0.25, 0.55)
_SHORTEST_SECONDS = 0.6
# A hint is read first. In a blink on request the eyes stay shut a little longer than in a spontaneous one.
_READING_SECONDS = (0.4, 1.2)
_SHUT_SECONDS = (0.05, 0.2)
_TURN_DEGREES, _TURN_SECONDS = (8.0, 16.0), (2.0, 3.6)
# Times of rising, holding and falling, seconds, and the extent: the share of the widest mouth, and degrees.
_OPENING = (0.3, 0.6), (0.3, 0.8), (0.25, 0.5), (0.55, 1.0)
_ASIDE = (0.4, 0.8), (0.2, 0.7), (0.4, 0.8), (15.0, 26.0)
_NEAREST, _FARTHEST = 0.55, -0.9
# People stop a little before or after the oval.
_MISSED = 0.03
# A person who watches the preview corrects a part of the error a few times a second.
_CORRECTED, _LOOK_SECONDS = 0.4, 0.25


@dataclass(frozen=True, slots=True)
class RestingFace:
    """A face at rest, before a prompt. Lengths are shares of the frame's width, y of its height.

    Attributes:
        width: Width of the face, which is 145 mm everywhere in the simulator.
        outline_width: Width from ear to ear, as measured in the frame.
        x: Middle of the face.
        y: Middle of the face.
        frame: Width and height of the frame, pixels.
    """

    width: float
    outline_width: float
    x: float
    y: float
    frame: tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Aim:
    """An oval as the person perceives it: with a factor on its width, and missed by shares of its width."""

    oval: Oval
    size: float
    across: float
    down: float

    def target(self, face: RestingFace) -> ReliefPose:
        wide, tall = face.frame
        placed = self.oval.placed(width=wide, height=tall)
        approach = _nearer(self.size * placed.width / (wide * face.outline_width))
        near = 1 - approach
        x = placed.x + self.across * placed.width
        y = placed.y + self.down * self.oval.width * tall
        return ReliefPose(
            shift_x=(x - 0.5 * wide) * near - wide * (face.x - 0.5),
            shift_y=(y - 0.5 * tall) * near - tall * (face.y - 0.5),
            approach=approach,
        )


@dataclass(frozen=True, slots=True)
class _Move:
    begin: float
    seconds: float
    target: Callable[[RestingFace], ReliefPose]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One turn of the head: to one side, to the other and back."""

    begin: float
    seconds: float
    degrees: float

    @property
    def end(self) -> float:
        return self.begin + self.seconds

    def yaw(self, time: float) -> float:
        share = (time - self.begin) / self.seconds
        if not 0 < share < 1:
            return 0.0
        # A sine in time, flattened at both ends because of the head's inertia.
        eased = share * share * (3 - 2 * share)
        return self.degrees * float(np.sin(2 * np.pi * eased))


class Side(IntEnum):
    """A side of the person; the value is the sign of the yaw."""

    LEFT = 1
    RIGHT = -1


class AppGuide:
    """The prompts of one scan, given while it runs, and the movements of a cooperative person.

    The person reacts after a quarter to half a second, moves smoothly, and stops within three per cent of the
    perceived oval; when ``notice`` shows the actual position of the face, the person corrects it. Prompted
    to blink, the person reads the prompt and blinks once. Prompted to turn the head, the person turns it by 8
    to 16 degrees to one side and to the other, in 2 to 3.6 seconds, and completes the turn before the next.
    Prompted to open the mouth, the person opens it, holds it open for a moment, and shuts it. Prompted to
    turn the head to a side, the person turns it by 15 to 26 degrees, holds it for a moment, and turns back.
    """

    def __init__(self, *, seed: int = 0) -> None:
        """Make a guide without prompts.

        Args:
            seed: Seed of the reaction times, the errors at the oval, and the requested movements.
        """
        self._rng = np.random.default_rng(seed)
        self._moves: list[_Move] = []
        self._oval: Oval | None = None
        self._settled = 0.0
        # Own random streams, so that a prompt to blink does not change how ovals are followed.
        self._lids = np.random.default_rng([seed, 1])
        self._blinks: list[BlinkMotion] = []
        self._neck = np.random.default_rng([seed, 2])
        self._turns: list[_Turn] = []
        self._jaw = np.random.default_rng([seed, 3])
        self._openings: list[HeldMotion] = []
        self._sides = np.random.default_rng([seed, 4])
        self._asides: list[HeldMotion] = []

    @property
    def asks(self) -> bool:
        """Whether an oval is shown."""
        return self._oval is not None

    def prompt_distance(self, face_width: float, *, at: float, seconds: float = 0.0) -> None:
        """Prompt the person to come closer or to go back, at any position of the face.

        Args:
            face_width: Target width of the face, as a share of the frame's.
            at: Simulated time in seconds; calls must be in order of time.
            seconds: Time in which the oval reaches its size.
        """
        wide = face_width * self._about()
        self._oval = None
        self._add(at, seconds, lambda face: ReliefPose(approach=_nearer(wide / face.width)))

    def fill(self, oval: Oval, *, at: float, seconds: float = 0.0) -> None:
        """Show an oval that the face must fill.

        Args:
            oval: The oval, in shares of the field.
            at: As for ``prompt_distance``.
            seconds: Time in which the oval reaches its place.
        """
        self._oval = oval
        across, down = (_MISSED * float(self._rng.uniform(-1, 1)) for _ in range(2))
        self._add(at, seconds, _Aim(oval, self._about(), across, down).target)

    def show_position(self, seen: FaceExtent, *, frame: tuple[int, int], at: float) -> None:
        """Show the person the position of the face; the person then moves a part of the way to the oval.

        Args:
            seen: The face in the frame, pixels.
            frame: Width and height of the frame, pixels.
            at: As for ``prompt_distance``; while the person moves and shortly after, the call has no effect.
        """
        if self._oval is None or at < self._settled:
            return
        wanted = self._oval.placed(width=frame[0], height=frame[1])
        closer = (seen.width / wanted.width) ** _CORRECTED
        across, down = _CORRECTED * (wanted.x - seen.x), _CORRECTED * (wanted.y - seen.y)

        def corrected(face: RestingFace, so_far: tuple[_Move, ...] = tuple(self._moves)) -> ReliefPose:
            now = _placed(so_far, at, face)
            near = 1 - now.approach
            return replace(
                now,
                shift_x=now.shift_x + across * near,
                shift_y=now.shift_y + down * near,
                approach=float(np.clip(1 - near * closer, _FARTHEST, _NEAREST)),
            )

        self._moves.append(_Move(at, _LOOK_SECONDS, cache(corrected)))
        self._settled = at + 2 * _LOOK_SECONDS

    def release(self, *, at: float) -> None:
        """Withdraw the oval; the person moves back to rest.

        Args:
            at: As for ``prompt_distance``.
        """
        self._oval = None
        if self._moves:
            self._add(at, 0.0, lambda face: ReliefPose())

    def blink(self, *, at: float) -> None:
        """Prompt the person to blink.

        Args:
            at: As for ``prompt_distance``.
        """
        start = at + float(self._lids.uniform(*_READING_SECONDS))
        self._blinks.append(BlinkMotion.draw(self._lids, start=start, depth=1.0, closed=_SHUT_SECONDS))

    def closure(self, time: float) -> float:
        """Return how far the lids are closed at ``time`` seconds because of a prompt, 0..1."""
        return max((blink.closure(time) for blink in self._blinks), default=0.0)

    def turn(self, *, at: float) -> None:
        """Prompt the person to turn the head a little from side to side.

        Args:
            at: As for ``prompt_distance``.
        """
        if self._turns and at < self._turns[-1].end:
            return
        start = at + float(self._neck.uniform(*_READING_SECONDS))
        degrees = float(self._neck.uniform(*_TURN_DEGREES) * self._neck.choice([-1, 1]))
        self._turns.append(_Turn(start, float(self._neck.uniform(*_TURN_SECONDS)), degrees))

    def open_mouth(self, *, at: float) -> None:
        """Prompt the person to open the mouth.

        Args:
            at: As for ``prompt_distance``; until the person has answered the prompt before, the call has no
                effect.
        """
        if self._openings and at < self._openings[-1].end:
            return
        self._openings.append(_drawn(self._jaw, _OPENING, at=at))

    def turn_aside(self, side: Side, *, at: float) -> None:
        """Prompt the person to turn the head to a side and back.

        Args:
            side: The person's own side.
            at: As for ``prompt_distance``; until the person has answered the prompt before, the call has no
                effect.
        """
        if self._asides and at < self._asides[-1].end:
            return
        turn = _drawn(self._sides, _ASIDE, at=at)
        self._asides.append(replace(turn, extent=side * turn.extent))

    def opening(self, time: float) -> float:
        """Return how far the mouth is open at ``time`` seconds because of a prompt, 0..1 of the widest."""
        return max((opening.at(time) for opening in self._openings), default=0.0)

    def placement(self, time: float, *, face: RestingFace) -> ReliefPose:
        """Return the movement from rest at ``time`` seconds."""
        yaw = sum(turn.yaw(time) for turn in self._turns) + sum(turn.at(time) for turn in self._asides)
        return replace(_placed(self._moves, time, face), yaw=yaw)

    def _about(self) -> float:
        return 1 + _MISSED * float(self._rng.uniform(-1, 1))

    def _add(self, at: float, seconds: float, target: Callable[[RestingFace], ReliefPose]) -> None:
        begin, seconds = at + float(self._rng.uniform(*_REACTION_SECONDS)), max(_SHORTEST_SECONDS, seconds)
        self._moves.append(_Move(begin, seconds, target))
        self._settled = begin + seconds


def _drawn(rng: np.random.Generator, ranges: tuple[tuple[float, float], ...], *, at: float) -> HeldMotion:
    """Draw the answer to a request that is read from ``at`` on; ``ranges`` as of ``_OPENING``."""
    start = at + float(rng.uniform(*_READING_SECONDS))
    return HeldMotion(start, *(float(rng.uniform(*limits)) for limits in ranges))


def _placed(moves: Sequence[_Move], time: float, face: RestingFace) -> ReliefPose:
    """Return the position at a time; each move starts at the end of the moves before it."""
    x = y = approach = 0.0
    for move in moves:
        target, share = move.target(face), float(np.clip((time - move.begin) / move.seconds, 0, 1))
        part = share * share * (3 - 2 * share)
        x += part * (target.shift_x - x)
        y += part * (target.shift_y - y)
        approach += part * (target.approach - approach)
    return ReliefPose(shift_x=x, shift_y=y, approach=approach)


def _nearer(growth: float) -> float:
    """Return the ``ReliefPose.approach`` at which the face appears ``growth`` times as large.

    It is limited to the possible range.
    """
    return float(np.clip(1 - 1 / growth, _FARTHEST, _NEAREST))

"""Draws that nobody can foresee, and how much a right answer to them proves.

A *bit* here is always minus the binary logarithm of a probability. A step that was drawn with probability p
carries -log2 p bits, so the bits of a sequence are exactly those of guessing that sequence, and their mean is
the entropy of the distribution.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from liveness.errors import RandomSourceError

__all__ = ["RandomBytes", "bits_beyond_chance", "bits_of_choice", "draw_below"]

RandomBytes: TypeAlias = Callable[[int], bytes]
"""Gives as many fresh bytes of a cryptographic random source as it is asked for, such as ``os.urandom``."""

_BYTES: Final = 256
"""Values of a byte."""
_MOST_TRIES: Final = 128
"""Each try fails with less than a half, so a source that fails them all is broken."""

_PRIOR_WEIGHT: Final = 4
"""A genuine step is expected to be measured in 4 of 5 cases: the mean of the prior Beta(4, 1)."""


def draw_below(random: RandomBytes, count: int) -> int:
    """A whole number from 0 to ``count`` - 1, each with exactly the same probability.

    By rejection: a byte that would favour some numbers is thrown away (Knuth, TAOCP 2, 3.4.1; NIST
    SP 800-90A Rev. 1, B.5.1.1, "simple discard").

    Args:
        random: Where the bytes come from.
        count: 1 to 256.

    Raises:
        RandomSourceError: The source gives other than the one byte asked for, or bytes that random ones
            never are.
        ValueError: ``count`` is out of its range.
    """
    if not 1 <= count <= _BYTES:
        raise ValueError(f"1 to 256 numbers can be drawn from, not {count}")
    fair = _BYTES - _BYTES % count
    for _ in range(_MOST_TRIES):
        drawn = random(1)
        if len(drawn) != 1:
            raise RandomSourceError(f"the random source gave {len(drawn)} bytes for one")
        if drawn[0] < fair:
            return drawn[0] % count
    raise RandomSourceError("the random source gives bytes that random ones never are")


def bits_of_choice(count: int) -> float:
    """The entropy of one of ``count`` things, all as likely."""
    return math.log2(count)


def bits_beyond_chance(verified: Sequence[float], *, shown: int) -> float:
    """What right answers prove once the answerer may leave out steps and choose when to stop; 0 or more.

    Who guesses blindly and makes the steps that were guessed wrong unmeasurable (a movement, a hand before
    the camera) gets more tries than one. So bits of right answers alone are no measure where steps are
    excused. This one is: with v right answers among n steps it is::

        sum(verified) + log2( integral over q in 0..1 of  Beta(4, 1)(q) q^v (1 - q)^(n - v) )

    that is, the likelihood ratio of somebody who answers with some unknown share q rightly against a guesser.
    Under guessing it never exceeds a martingale that starts at 1, so that, by Ville's inequality, the chance
    that it ever reaches b bits is at most 2^-b, however long the scan goes on, whichever steps are left out
    and whenever it stops; a second attempt is a second chance (Ville 1939; Howard, Ramdas et al.,
    "Time-uniform Chernoff bounds", 2020). It costs a genuine person 1.2 bits when all of 5 steps are
    measured, and 3.5 when one of 6 is not.

    Args:
        verified: The bits of each step that was answered rightly; each must be the least surprising that the
            step could have been, no more.
        shown: All steps with bits that were shown, answered or not; at least as many.

    Raises:
        ValueError: More steps were verified than shown, or bits are negative.
    """
    right, missed = len(verified), shown - len(verified)
    if missed < 0:
        raise ValueError(f"{right} steps were verified of {shown} that were shown")
    if any(bits < 0 for bits in verified):
        raise ValueError("a step cannot carry negative bits")
    evidence = (
        math.log(_PRIOR_WEIGHT)
        + math.lgamma(right + _PRIOR_WEIGHT)
        + math.lgamma(missed + 1)
        - math.lgamma(shown + _PRIOR_WEIGHT + 1)
    )
    return max(0.0, math.fsum(verified) + evidence / math.log(2))

"""Unpredictable draws, and the number of bits that right answers to them prove.

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
"""Returns the requested number of bytes from a cryptographic random source, such as ``os.urandom``."""

_BYTES: Final = 256
"""The number of values of a byte."""
_MOST_TRIES: Final = 128
"""The most tries. Each fails with a probability below 1/2, so a source that fails them all is faulty."""

_PRIOR_WEIGHT: Final = 4
"""A genuine step is expected to be measured in 4 of 5 cases: the mean of the prior Beta(4, 1)."""


def draw_below(random: RandomBytes, count: int) -> int:
    """Draws an integer from 0 to ``count`` - 1, uniformly.

    A byte that would favour some numbers is rejected (Knuth, TAOCP 2, 3.4.1; NIST
    SP 800-90A Rev. 1, B.5.1.1, "simple discard").

    Args:
        random: The source of the bytes.
        count: The number of integers to draw from, 1 to 256.

    Raises:
        RandomSourceError: The source does not give exactly one byte, or its bytes cannot be random.
        ValueError: ``count`` is out of its range.
    """
    if not 1 <= count <= _BYTES:
        raise ValueError(f"1 to 256 numbers can be drawn from, not {count}")
    fair = _BYTES - _BYTES % count
    for _ in range(_MOST_TRIES):
        drawn = random(1)
        if len(drawn) != 1:
            raise RandomSourceError(f"the random source gave {len(drawn)} bytes; 1 was requested")
        if drawn[0] < fair:
            return drawn[0] % count
    raise RandomSourceError(f"the random source is faulty: {_MOST_TRIES} bytes in a row had to be rejected")


def bits_of_choice(count: int) -> float:
    """Returns the entropy, in bits, of a uniform choice among ``count`` things."""
    return math.log2(count)


def bits_beyond_chance(verified: Sequence[float], *, shown: int) -> float:
    """Returns the bits that right answers prove, even if an attacker can omit steps at will; 0 or more.

    An attacker who guesses blindly can make a wrongly guessed step unmeasurable (by a movement, or a hand in
    front of the camera), and so gets several tries. The sum of the bits of right answers is therefore too
    high. With v right answers among n steps, this function returns::

        sum(verified) + log2( integral over q in 0..1 of  Beta(4, 1)(q) q^v (1 - q)^(n - v) )

    that is, the likelihood ratio of a person who answers an unknown share q rightly, against a guess.
    Under guessing it never exceeds a martingale that starts at 1, so that, by Ville's inequality, the chance
    that it ever reaches b bits is at most 2^-b, however long the scan continues, whichever steps are omitted
    and whenever it stops; a second attempt is a second chance (Ville 1939; Howard, Ramdas et al.,
    "Time-uniform Chernoff bounds", 2020). The correction costs a genuine person 1.2 bits when all of 5 steps
    are measured, and 3.5 when one of 6 is not.

    Args:
        verified: The bits of each step with a right answer, at most minus the binary logarithm of the chance
            to guess it.
        shown: The number of steps with bits that were shown, answered or not.

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

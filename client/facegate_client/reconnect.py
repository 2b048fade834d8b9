"""How often and how long after each other a scan reconnects."""

from dataclasses import dataclass

__all__ = ["ReconnectPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """Capped exponential backoff with a bound.

    Attributes:
        limit: Reconnects of a scan; the server allows 10.
        first_limit: Further tries where no challenge was ever received, so that a wrong address is
            told soon.
        initial_s: Wait before the first reconnect, seconds.
        cap_s: Longest wait that the backoff reaches, seconds.
        longest_asked_s: Longest wait that the server may ask for, seconds.
    """

    limit: int = 10
    first_limit: int = 2
    initial_s: float = 0.25
    cap_s: float = 8.0
    longest_asked_s: float = 30.0

    def delay(self, reconnect: int, *, asked_s: float, jitter: float) -> float:
        """Seconds to wait.

        Args:
            reconnect: Number of the reconnect since the last result, from 1.
            asked_s: What the server asked for; 0 where it said nothing.
            jitter: A random number, 0 to 1, so that devices do not come back all at once.
        """
        backoff = min(self.cap_s, self.initial_s * 2.0 ** min(reconnect - 1, 32)) * (0.5 + jitter / 2)
        return max(backoff, min(asked_s, self.longest_asked_s))

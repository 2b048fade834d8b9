"""Limits the reconnects of a scan and sets the pauses between them."""

from dataclasses import dataclass

__all__ = ["ReconnectPolicy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconnectPolicy:
    """Capped exponential backoff with a limited number of reconnects.

    Attributes:
        limit: Reconnects of a scan; the server allows 10.
        first_limit: Retries if no challenge was ever received, so that a wrong address is reported
            soon.
        initial_s: The wait before the first reconnect, seconds.
        cap_s: The longest wait of the backoff, seconds.
        longest_asked_s: The longest wait that the server may ask for, seconds.
    """

    limit: int = 10
    first_limit: int = 2
    initial_s: float = 0.25
    cap_s: float = 8.0
    longest_asked_s: float = 30.0

    def delay(self, reconnect: int, *, asked_s: float, jitter: float) -> float:
        """Returns the wait before a reconnect, seconds.

        Args:
            reconnect: Number of the reconnect since the last result, from 1.
            asked_s: The wait that the server asked for, seconds; 0 if it asked for none.
            jitter: A random number, 0 to 1, so that devices do not reconnect at the same time.
        """
        backoff = min(self.cap_s, self.initial_s * 2.0 ** min(reconnect - 1, 32)) * (0.5 + jitter / 2)
        return max(backoff, min(asked_s, self.longest_asked_s))

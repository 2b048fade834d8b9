"""Calls that came to the listener that does not serve them."""

from server.errors import Reason, Refusal


def wrong_listener(call: str, listener: str) -> Refusal:
    """The refusal of a call that the other listener serves."""
    return Refusal(
        Reason.WRONG_LISTENER,
        f"{call} is served by the {listener} listener; connect there",
        details={"call": call, "listener": listener},
    )

"""What every table of the settings has in common."""

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict

__all__ = ["Table", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a listener on ``host``: an address of it, or ``localhost``."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Table(BaseModel):
    """A table: nothing unknown in it, never changed, and no value repeated in an error."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

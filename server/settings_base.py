"""The base class of the tables of the settings."""

from ipaddress import ip_address

from pydantic import BaseModel, ConfigDict

__all__ = ["Table", "is_loopback"]


def is_loopback(host: str) -> bool:
    """Returns whether ``host`` is a loopback address or ``localhost``, which only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Table(BaseModel):
    """A table of the settings: immutable, without unknown keys, and with errors that repeat no value."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

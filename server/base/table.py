"""The base class of the tables of the settings."""

from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from yarl import URL

__all__ = ["Table", "WebHost", "WebOrigin", "is_loopback"]


def _as_browsers_write_it(origin: str) -> str:
    try:
        return str(URL(origin).origin())
    except ValueError:
        raise ValueError('not an origin, such as "https://verify.bank.example"') from None


def _host_as_browsers_write_it(host: str) -> str:
    try:
        return URL.build(scheme="https", host=host).raw_host or ""
    except ValueError:
        raise ValueError('not the name of a host, such as "bank.example"') from None


WebOrigin = Annotated[
    str,
    StringConstraints(pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^/\\\s?#@%]+/?$", max_length=256),
    AfterValidator(_as_browsers_write_it),
]
"""The origin of a page, brought to the form that browsers send (WHATWG URL, "ASCII serialisation of an
origin"): small letters, an international name in punycode, no default port, no slash at the end."""

WebHost = Annotated[
    str,
    StringConstraints(pattern=r"^[^/\\\s?#@%:]*$", max_length=253),
    AfterValidator(_host_as_browsers_write_it),
]
"""The name of a host, in the form that it has in a ``WebOrigin``; may be empty."""


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

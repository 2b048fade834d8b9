"""The base class of the tables of the settings."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints
from yarl import URL


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
    """Return whether ``host`` is a loopback address or ``localhost``, which only this machine can reach."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


_UNICAST: Final = ip_network("2000::/3")
"""The only IPv6 addresses that are routed in public; NAT64, private and link-local ones are outside."""
_INSIDE_V6: Final = tuple(
    ip_network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
"""Those of them that are no hosts in public: protocols such as Teredo, documentation, 6to4."""
_INSIDE_V4: Final = tuple(ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32"))
"""Protocols such as the translation from IPv6, and the relays of 6to4, which some versions of Python count as
global; and the address at which Azure answers its own machines."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Return whether an address is one of a host in public, and of no translation to another address."""
    if isinstance(address, IPv4Address):
        inside = any(address in network for network in _INSIDE_V4)
        return address.is_global and not address.is_multicast and not inside
    return address in _UNICAST and not any(address in network for network in _INSIDE_V6)


class Table(BaseModel):
    """A table of the settings: immutable, without unknown keys, and with errors that repeat no value."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

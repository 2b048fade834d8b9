"""The relying party of a browser's evidence, and the tests of the page's origin."""

from dataclasses import dataclass

from device_integrity.check import Checklist, DeviceCheck, Manipulation

__all__ = ["RelyingParty", "origin_check", "page_check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """The customer's web site.

    Attributes:
        rp_id: WebAuthn's relying party identifier: the site's domain, such as ``bank.example``.
        origins: The origins of its pages in the form of browsers: ``https://verify.bank.example``, with a
            port if it is not 443, without a final slash. They are compared as a whole.
        require_user_verification: Whether a WebAuthn ceremony counts only if the authenticator verified
            the person by its own PIN or biometrics.
    """

    rp_id: str
    origins: frozenset[str]
    require_user_verification: bool


def origin_check(checklist: Checklist, origin: str, relying_party: RelyingParty) -> DeviceCheck:
    """Returns the test ``origin``: whether the page that the browser states is one of the site's."""
    return checklist.judged(
        "origin",
        holds=origin in relying_party.origins,
        good=("ORIGIN_ALLOWED", "the page is one of the site's"),
        bad=("ORIGIN_NOT_ALLOWED", "the page has an origin that is not allowed"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


def page_check(checklist: Checklist, origin: str, header_origin: str | None) -> DeviceCheck:
    """Returns the test ``page``: whether the request came from the page that the evidence states.

    Args:
        checklist: The verifier's checklist.
        origin: The origin that the evidence states.
        header_origin: The request's ``Origin`` header, which scripts cannot set; ``None`` if the listener
            does not receive it.
    """
    if header_origin is None:
        return checklist.not_evaluated(
            "page", "ORIGIN_HEADER_ABSENT", "the request had no Origin header to compare with"
        )
    return checklist.judged(
        "page",
        holds=header_origin == origin,
        good=("ORIGIN_HEADER_MATCHES", "the request came from the page that the evidence states"),
        bad=("ORIGIN_HEADER_DIFFERS", "the request came from another page than the evidence states"),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )

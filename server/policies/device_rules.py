"""The part of a policy file with the demands on the device."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from device_integrity import Assurance
from device_integrity.camera import Platform
from device_integrity.policy import DECISIVE_NAMES, RAISED_NAMES, Demand, DemandTable, Evidence
from server.policies.table import PolicyTable
from server.settings_base import WebOrigin

__all__ = ["ASSURANCE_FORMS", "AssuranceFloors", "DemandRules", "DeviceRules", "PlatformDemands"]


def _known_check(name: object) -> str:
    if not isinstance(name, str) or name not in DECISIVE_NAMES:
        raise ValueError(
            f"no decisive test is named {name!r:.68}; there are {', '.join(sorted(DECISIVE_NAMES))}"
        )
    return name


_DecisiveCheck = Annotated[
    str,
    PlainValidator(_known_check),
    WithJsonSchema({"type": "string", "enum": sorted(DECISIVE_NAMES)}),
]


def _known_soft_check(name: object) -> str:
    if not isinstance(name, str) or name not in RAISED_NAMES:
        raise ValueError(
            f"no test that a policy can make decisive is named {name!r:.68}; there are "
            f"{', '.join(sorted(RAISED_NAMES))}"
        )
    return name


_RaisedCheck = Annotated[
    str,
    PlainValidator(_known_soft_check),
    WithJsonSchema({"type": "string", "enum": sorted(RAISED_NAMES)}),
]


class PlatformDemands(PolicyTable):
    """The demands on the devices of one platform, by kind of evidence; an omitted kind is advisory."""

    android_key: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Android key attestation."""
    play_integrity: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Google Play Integrity."""
    app_attest: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Apple App Attest: an attestation or an assertion."""
    web_key: Demand = Field(default=Demand.ADVISORY, strict=False)
    """A browser's key: WebAuthn or WebCrypto."""
    server_key: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The TLS key of the server that the device states."""
    device: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The claims of the device about itself."""
    camera: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The claims about the camera, and the headers of the frames."""
    stream: Demand = Field(default=Demand.ADVISORY, strict=False)
    """The frames themselves."""
    memory: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Scan memory: frames and keys of other scans of the tenant."""
    contradiction: Demand = Field(default=Demand.ADVISORY, strict=False)
    """Contradictions between sources."""

    def as_row(self) -> Mapping[Evidence, Demand]:
        """Returns the demands in the terms of ``device_integrity``."""
        return {Evidence(name): getattr(self, name) for name in type(self).model_fields}


class DemandRules(PolicyTable):
    """The demands by platform.

    If no platform has a table, no platform is refused, and observations are advisory; attestation is
    advisory, or ignored if no assurance is demanded. If a platform has a table, devices of platforms without
    one are refused.
    """

    android: PlatformDemands | None = None
    """Android apps."""
    ios: PlatformDemands | None = None
    """iOS and iPadOS apps."""
    web: PlatformDemands | None = None
    """Pages in a browser."""
    desktop: PlatformDemands | None = None
    """Desktop applications and the reference client."""
    unspecified: PlatformDemands | None = None
    """Devices that do not state their platform."""


class AssuranceFloors(PolicyTable):
    """The lowest assurance, by platform."""

    default: Assurance = Field(strict=False)
    """For platforms that are not named here. It is required, so that a floor for pages does not change the
    floors of phones."""
    android: Assurance | None = Field(default=None, strict=False)
    """For Android apps."""
    ios: Assurance | None = Field(default=None, strict=False)
    """For iOS and iPadOS apps."""
    web: Assurance | None = Field(default=None, strict=False)
    """For pages in a browser."""
    desktop: Assurance | None = Field(default=None, strict=False)
    """For desktop applications and the reference client."""
    unspecified: Assurance | None = Field(default=None, strict=False)
    """For devices that do not state their platform."""

    def named(self) -> Mapping[Platform, Assurance]:
        """Returns the assurance of each platform that has its own."""
        floors = {platform: getattr(self, platform.name.lower()) for platform in Platform}
        return {platform: floor for platform, floor in floors.items() if floor is not None}


_WORD, _TABLE = "(one word)", "(by platform)"
ASSURANCE_FORMS: Final = frozenset({_WORD, _TABLE})
"""The tags that pydantic adds to the key of a floor when it reports a problem."""

_MinimumAssurance = Annotated[
    Annotated[Assurance, Field(strict=False), Tag(_WORD)] | Annotated[AssuranceFloors, Tag(_TABLE)],
    Discriminator(lambda value: _TABLE if isinstance(value, dict | AssuranceFloors) else _WORD),
]


class DeviceRules(PolicyTable):
    """Demands on the device."""

    minimum_assurance: _MinimumAssurance = Assurance.NONE
    """Lowest device assurance with which a check can succeed: one for all platforms, or a table. The platform
    is the device's own claim, which its evidence must not contradict. An attacker without evidence can
    therefore claim the platform with the lowest demands. With NONE or LOW, and if no attestation is required,
    a check can succeed with a device that is not attested. Only the frames and the device's own claims then
    oppose video that software makes in real time, and the result states this."""
    demands: DemandRules = DemandRules()
    """By platform and kind of evidence: "required" (else the check fails), "advisory" (it raises or lowers
    the assurance) or "ignored" (it is reported)."""
    tolerate: tuple[_DecisiveCheck, ...] = Field(default=(), strict=False)
    """Names of decisive device tests to waive: their failure is reported and has no other consequence.
    Without a waiver, each of them alone fails the check, under every policy."""
    decide: tuple[_RaisedCheck, ...] = Field(default=(), strict=False)
    """Names of tests of run-time findings to make decisive, such as ``runtime.root``. Without this, their
    failure is a soft sign, because honest people's devices fail them too: a rooted phone, a company's proxy.
    ``runtime.hooking`` and ``runtime.debugger`` are always decisive."""

    web_origins: tuple[WebOrigin, ...] = Field(default=(), strict=False)
    """Origins of the pages that may scan under this policy, out of ``device_integrity.web.origins`` of the
    settings, such as ``https://verify.bank.example``; if none is listed, all of them. A page of another
    origin is refused with ``ORIGIN_NOT_ALLOWED`` after its ScanStart, and the check stays open."""

    def as_table(self) -> DemandTable:
        """Returns the demands in the terms of ``device_integrity``."""
        least = self.minimum_assurance
        floor, floors = (least.default, least.named()) if isinstance(least, AssuranceFloors) else (least, {})
        named = {platform: getattr(self.demands, platform.name.lower()) for platform in Platform}
        rows = {platform: row.as_row() for platform, row in named.items() if row is not None}
        if not rows:
            rows = {platform: _undemanding_row(floors.get(platform, floor)) for platform in Platform}
        return DemandTable(rows, floor=floor, floors=floors)


def _undemanding_row(least: Assurance) -> Mapping[Evidence, Demand]:
    """Returns the demands of a platform under a policy that names no platform."""
    asked = Demand.IGNORED if least is Assurance.NONE else Demand.ADVISORY
    return {evidence: asked if evidence.raises_assurance else Demand.ADVISORY for evidence in Evidence}

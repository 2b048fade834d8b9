"""Plans the simulated scans: person, light, skin, camera, distance and attack.

Ambient light, kind and (of relighting) latency and quality are crossed with persons. Skin, camera, distance,
renderer and phone are drawn for each scan from its own name, so that all of them vary in every cell and a
table over one of them averages over the others. The renderers are those that were used for tuning, and
others.
"""

import hashlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import numpy as np

from lab.simulator import (
    AmbientPreset,
    AmbientSettings,
    Diffuse,
    Emission,
    FlashCameraSettings,
    FlashKind,
    FlashScanSettings,
    Geometry,
    InjectionSettings,
    InstrumentSettings,
    PhoneSettings,
    RendererSettings,
    SkinSettings,
    ToneCurve,
)


@dataclass(frozen=True, slots=True)
class Renderers:
    """Models of light, skin and head, each combination of which can render a scan.

    Attributes:
        emissions: Models of the screen's light, at least one.
        diffuses: Models of reflection by skin and paper, at least one.
        geometries: Models of the head's shape, at least one.
    """

    emissions: tuple[Emission, ...]
    diffuses: tuple[Diffuse, ...]
    geometries: tuple[Geometry, ...]

    @property
    def names(self) -> frozenset[str]:
        """Return every combination, as ``points/lambert/relief``."""
        return frozenset(map("/".join, itertools.product(self.emissions, self.diffuses, self.geometries)))

    def draw(self, rng: np.random.Generator) -> str:
        """Draw one of the combinations, each equally likely."""
        models = self.emissions, self.diffuses, self.geometries
        return "/".join(str(rng.choice([str(one) for one in model])) for model in models)


CALIBRATION_RENDERERS: Final = Renderers(
    (Emission.POINTS, Emission.AREA),
    (Diffuse.LAMBERT, Diffuse.WRAPPED),
    (Geometry.RELIEF, Geometry.ELLIPSOID),
)
"""The models that were used for tuning."""

HELD_OUT_RENDERERS: Final = Renderers((Emission.DIRECTED,), (Diffuse.COATED,), (Geometry.SCULPTED,))
"""Another model of each kind, made after all lines were set; no line was set on them."""

RENDERERS: Final = {"calibrated": CALIBRATION_RENDERERS, "held-out": HELD_OUT_RENDERERS}
"""Both, by the names that commands take."""


class Group(StrEnum):
    """The group of scans to which a scan belongs."""

    GENUINE = "genuine"
    ATTACK = "attack"
    RELIGHTING = "relighting"
    """The curves over latency and quality; the other attacks have usual values, and claim true times."""


@dataclass(frozen=True, slots=True)
class Case:
    """One scan to simulate: an attempt of a check.

    Attributes:
        kind: The person or attack.
        turn: Number of the repetition, from 0.
        skin: Name among ``SKINS``.
        camera: Name among ``CAMERAS``.
        distance: Name among ``DISTANCES``.
        renderer: Models of light, skin and head, as ``points/lambert/relief``.
        latency: Added latency of relighting, seconds; ``None`` for other kinds.
        quality: Quality of relighting, a name among ``QUALITIES``; ``None`` for a photo that is relit with
            the mesh of its face, and for other kinds.
        lying: Whether the device claims later times for the colours to hide its lag; see ``claimed_late``.
        attempt: Number of the attempt of its check, from 1. Later attempts have the same person, light, skin,
            camera, distance, phone and instrument, and other movements and noise.
    """

    group: Group
    kind: FlashKind
    ambient: AmbientPreset
    person: str
    turn: int
    skin: str
    camera: str
    distance: str
    renderer: str
    latency: float | None = None
    quality: str | None = None
    lying: bool = False
    attempt: int = 1

    @property
    def name(self) -> str:
        """Distinct name, and seed of the draws, of the case."""
        return self.check if self.attempt == 1 else f"{self.check}/attempt {self.attempt}"

    @property
    def check(self) -> str:
        """Name of its check, and seed of the draws that all attempts have in common."""
        curve = "" if self.latency is None else f"/{self.latency:g}"
        curve += "" if self.quality is None else f"/{self.quality}"
        curve += "/lying" if self.lying else ""
        curve += "/held out" if self.renderer in HELD_OUT_RENDERERS.names else ""
        return f"{self.group}/{self.kind}/{self.ambient}/{self.person}/{self.turn}{curve}"


SKINS: Final[Mapping[str, float]] = MappingProxyType({"as photographed": 0.0, "darker": 0.4, "dark": 0.8})
"""Melanin added to the photo's skin."""

CAMERAS: Final[Mapping[str, FlashCameraSettings]] = MappingProxyType(
    {
        "usual": FlashCameraSettings(),
        "gamma": FlashCameraSettings(tone_curve=ToneCurve.GAMMA_22),
        "contrast": FlashCameraSettings(tone_curve=ToneCurve.CONTRAST),
        "locked": FlashCameraSettings(exposure_locked=True, white_balance_locked=True),
        "noisy": FlashCameraSettings(noise=2.5, rolling_shutter_seconds=0.033, jitter_seconds=0.008),
        "wide": FlashCameraSettings(field_of_view_degrees=65.0),
    }
)
"""Cameras; ``split.toml`` names those that were used for tuning."""

DISTANCES: Final[Mapping[str, float]] = MappingProxyType({"near": 0.60, "usual": 0.52, "far": 0.46})
"""Width of the face as a share of the frame's: 0.27, 0.31 and 0.35 m at 48 degrees, 0.19 to 0.25 m at 65.
If the face is farther away, the guidance prompts the person to come closer first, and the person does."""

QUALITIES: Final[Mapping[str, InjectionSettings]] = MappingProxyType(
    {
        "crude": InjectionSettings(quality=0.0, shadowing=False, linear=False, blur=0.1),
        "generic head": InjectionSettings(quality=0.0),
        "half-way": InjectionSettings(quality=0.5),
        "own head": InjectionSettings(quality=1.0),
    }
)
"""Relighting, from a colour blended over the face to the victim's own shape under the true law of light."""

LATENCIES: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
"""Added seconds of relighting behind a device that claims true times."""
LYING_LATENCIES: Final = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
"""Added seconds behind a device that claims times at which its answers look punctual."""
_LOOKS_PUNCTUAL: Final = 0.03
"""Lag that a lying device leaves, seconds; without it, the rounding of a frame would make it look early."""

_ATTACKED: Final = (AmbientPreset.DARK, AmbientPreset.INDOOR, AmbientPreset.OFFICE)
"""Light in which genuine persons should succeed; in brighter light no person does."""
_RELIT: Final = (FlashKind.INJECTED_RELIGHTING, FlashKind.INJECTED_PHOTO)
_OTHERS: Final = tuple(kind for kind in FlashKind if kind not in {FlashKind.GENUINE, *_RELIT})
_PHOTO_QUALITIES: Final = (None, "generic head")
"""Shapes with which a photo is relit: the mesh of its face, and an ellipsoid."""
_LONGEST_SECONDS: Final = 32.0
_DISPLAY_LUMINANCE: Final = (20.0, 500.0)
"""Luminance of a replaying screen, cd/m2; an attacker dims it, so that it outshines less of the flash."""


def all_cases(
    people: Sequence[str], *, turns: int, renderers: Renderers = CALIBRATION_RENDERERS
) -> tuple[Case, ...]:
    """Return the whole plan, in an order in which every part is a fair sample.

    Args:
        turns: Number of turns, each with one scan per person in every cell; relighting in the first only.
        renderers: The renderers from which that of each scan is drawn.
    """
    cases = itertools.chain(
        *(_turn(people, turn, renderers) for turn in range(turns)),
        *(_curve(people, renderers, lying=lying) for lying in (False, True)),
    )
    return tuple(sorted(cases, key=lambda case: (case.turn, _digest(f"order/{case.name}"))))


def small_slice(people: Sequence[str]) -> tuple[Case, ...]:
    """Return a few scans for a quick look at the direction of results."""
    first, second = people[0], people[min(1, len(people) - 1)]
    genuine = [
        _case(Group.GENUINE, FlashKind.GENUINE, ambient, person)
        for person in (first, second)
        for ambient in (AmbientPreset.INDOOR, AmbientPreset.SUN)
    ]
    clean = _case(Group.ATTACK, FlashKind.INJECTED_VIDEO, AmbientPreset.INDOOR, first)
    return (*genuine, clean)


def settings_of(case: Case, *, width: int, height: int, rate: float) -> FlashScanSettings:
    """Return the simulator's settings for a case. The name of its check seeds what the case leaves open.

    Args:
        width: Width of the frames, pixels.
        height: Height of the frames, pixels.
        rate: Frames a second.
    """
    rng = _rng(f"settings/{case.check}")
    emission, diffuse, geometry = case.renderer.split("/")
    injection = InjectionSettings(
        latency_seconds=float(rng.uniform(0.02, 0.12)), strength=float(rng.uniform(0.7, 1.3))
    )
    if case.quality is not None:
        latency, strength = injection.latency_seconds, injection.strength
        if case.latency is not None:
            latency, strength = case.latency, 1.0
        injection = replace(QUALITIES[case.quality], latency_seconds=latency, strength=strength)
    seed = int(rng.integers(1 << 30))
    if case.attempt > 1:
        seed = int(_rng(f"seed/{case.name}").integers(1 << 30))
    return FlashScanSettings(
        kind=case.kind,
        seed=seed,
        seconds=_LONGEST_SECONDS,
        frames_per_second=rate,
        width=width,
        height=height,
        face_width=DISTANCES[case.distance],
        ambient=AmbientSettings(preset=case.ambient),
        phone=PhoneSettings(
            luminance=float(rng.uniform(300.0, 500.0)),
            latency_seconds=float(rng.uniform(0.02, 0.10)),
            hidden_seconds=float(rng.uniform(0.01, 0.08)),
        ),
        camera=CAMERAS[case.camera],
        skin=SkinSettings(melanin=SKINS[case.skin], gloss=float(rng.uniform(0.5, 1.5))),
        renderer=RendererSettings(Emission(emission), Diffuse(diffuse), Geometry(geometry)),
        instrument=InstrumentSettings(
            print_width_mm=float(rng.choice([148.0, 210.0])),
            print_gloss=float(rng.choice([0.0, 0.04])),
            display_luminance=float(np.exp(rng.uniform(*np.log(_DISPLAY_LUMINANCE)))),
            display_gloss=float(rng.choice([0.01, 0.04])),
            mask_gloss=float(rng.choice([0.02, 0.04])),
        ),
        injection=injection,
    )


def claimed_late(case: Case, settings: FlashScanSettings) -> float:
    """Return by how much the device claims later times for colours than true, seconds; 0 if it does not."""
    if not case.lying:
        return 0.0
    return max(0.0, settings.injection.latency_seconds - settings.phone.latency_seconds - _LOOKS_PUNCTUAL)


def _curve(people: Sequence[str], renderers: Renderers, *, lying: bool) -> Iterator[Case]:
    latencies = LYING_LATENCIES if lying else LATENCIES
    for person in people:
        for curve in itertools.product(latencies, QUALITIES):
            yield _case(
                Group.RELIGHTING,
                FlashKind.INJECTED_RELIGHTING,
                AmbientPreset.INDOOR,
                person,
                curve=curve,
                lying=lying,
                renderers=renderers,
            )


def _turn(people: Sequence[str], turn: int, renderers: Renderers) -> Iterator[Case]:
    for person in people:
        for ambient in AmbientPreset:
            yield _case(Group.GENUINE, FlashKind.GENUINE, ambient, person, turn, renderers=renderers)
        for kind, ambient in itertools.product(_OTHERS, _ATTACKED):
            yield _case(Group.ATTACK, kind, ambient, person, turn, renderers=renderers)
        for quality, ambient in itertools.product(_PHOTO_QUALITIES, _ATTACKED):
            yield _case(
                Group.ATTACK,
                FlashKind.INJECTED_PHOTO,
                ambient,
                person,
                turn,
                curve=None if quality is None else (None, quality),
                renderers=renderers,
            )


def _case(
    group: Group,
    kind: FlashKind,
    ambient: AmbientPreset,
    person: str,
    turn: int = 0,
    *,
    curve: tuple[float | None, str] | None = None,
    lying: bool = False,
    renderers: Renderers = CALIBRATION_RENDERERS,
) -> Case:
    latency, quality = (None, None) if curve is None else curve
    plain = Case(group, kind, ambient, person, turn, "", "", "", "", latency, quality, lying)
    rng = _rng(f"draws/{plain.name}")
    renderer = renderers.draw(rng)
    skin, camera, distance = (str(rng.choice(list(table))) for table in (SKINS, CAMERAS, DISTANCES))
    return Case(group, kind, ambient, person, turn, skin, camera, distance, renderer, latency, quality, lying)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _rng(text: str) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(_digest(text)[:8], "big"))

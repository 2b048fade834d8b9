"""A subject and the room behind it under the screen's light and the surrounding light, in linear light.

A subject is a surface in front of a room; a living person is one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from lab.simulator.backdrop import Backdrop
from lab.simulator.geometry import Relief, ReliefPose, Sight, Viewport
from lab.simulator.light.sources import Ambient, AreaLight, Emission, ScreenLight, linear_table
from lab.simulator.light.surface import LightMaps, LitSurface, Material
from lab.simulator.person import Person

Follow: TypeAlias = Callable[[float], ReliefPose]
"""Movement from rest, at a time in seconds, of a subject that follows an oval."""


def _nowhere() -> NDArray[np.float32]:
    return np.zeros((0, 2), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class SubjectView:
    """A subject at one moment.

    Attributes:
        layer: Its albedo, sRGB-coded blue-green-red, and its coverage 0..255 as the fourth channel; of the
            frame's size. For a screen, the colours that it emits.
        sight: The part of its canvas that the frame shows, and the place of its relief.
        placement: The relief's movement away from rest.
        pan: Movement of the whole image in pixels.
        moved: Movement of the camera itself, which the room behind shows too.
        eyes: Canvas places at rest of moist corneas that mirror the screen, shape (n, 2).
        glint: Share of the cornea that the lids do not cover, 0..1.
    """

    layer: NDArray[np.uint8]
    sight: Sight
    placement: ReliefPose
    pan: tuple[float, float] = (0.0, 0.0)
    moved: ReliefPose = field(default_factory=ReliefPose)
    eyes: NDArray[np.float32] = field(default_factory=_nowhere)
    glint: float = 0.0


class Subject(Protocol):
    """A person or an instrument in front of the camera."""

    relief: Relief
    material: Material
    millimetres_per_pixel: float
    """Millimetres per pixel at the plane of depth 0 (of a person: the eyes) at rest."""
    backdrop: Backdrop
    """The room behind it."""

    def render(self, time: float) -> SubjectView:
        """Return the subject at ``time`` seconds; some subjects need rising times."""
        ...


_WIDEST_MILLIMETRES: Final = 45.0
"""The gap between the lips of a mouth that is open as wide as people open it here when asked."""

Share = Callable[[float], float]
"""A share, 0..1, at a time in seconds."""


def never(time: float) -> float:
    """Return 0 at any time."""
    return 0.0


class LitPerson:
    """A person with matt, slightly glossy skin and corneas that mirror the screen."""

    def __init__(
        self,
        person: Person,
        *,
        material: Material,
        follow: Follow,
        corneas: bool = True,
        closure: Share = never,
        opening: Share = never,
    ) -> None:
        """Make a subject of a person with albedo colours.

        Args:
            follow: How the person follows an oval.
            corneas: Whether the eyes are moist; those of a mask are not.
            closure: How far the lids are closed on request at a time, 0..1.
            opening: How far the mouth is open on request at a time, 0..1; at 1 the lips are 45 mm apart.
        """
        self._person = person
        self.relief, self.backdrop = person.relief, person.backdrop
        self.millimetres_per_pixel = person.millimetres_per_pixel
        self.material = material
        """The skin."""
        self._follow = follow
        self._closure = closure
        self._opening = opening
        left, right = person.landmarks[36:42].mean(axis=0), person.landmarks[42:48].mean(axis=0)
        self._eyes = np.stack([left, right]).astype(np.float32)[: 2 if corneas else 0]

    def render(self, time: float) -> SubjectView:
        """Return the person at ``time`` seconds."""
        state = self._person.state_at(time)
        state = replace(
            state,
            head=state.head.moved(self._follow(time)),
            closure=max(state.closure, self._closure(time)),
            gap=self._opening(time) * _WIDEST_MILLIMETRES / self.millimetres_per_pixel,
        )
        seen = self._person.render(state)
        return SubjectView(
            layer=seen.layer,
            sight=seen.sight,
            placement=state.head,
            pan=state.pan,
            moved=state.head,
            eyes=self._eyes + np.array(state.gaze, np.float32),
            glint=max(0.0, 1 - 2 * state.closure),
        )


BANDS = 5
_SAMPLES = 3
_CORNEA = 0.025
_CORNEA_FOCAL_MM = 3.9
_GLINT_REACH = 4
_VEIL = 0.5


class LitScene:
    """Renders reflected light for one exposure of a rolling shutter.

    The unit is the illuminance, in lux, at which a white matt surface reflects as much. Each row of the frame
    has the screen's light at its own time; the geometry is that of the middle of the frame.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        screen: ScreenLight,
        ambient: Ambient,
        emission: Emission,
        viewport: Viewport,
        rng: np.random.Generator,
    ) -> None:
        """Light the subject.

        Args:
            subject: The subject in front of the camera.
            emission: How the screen's light is summed.
            viewport: Frame and lens.
            rng: Draws the share of the surrounding light that reaches the room behind.
        """
        self._subject = subject
        self._screen = screen
        self._ambient = ambient
        self._viewport = viewport
        light = AreaLight(phone=screen.settings, bands=BANDS, emission=emission)
        self._surface = LitSurface(
            viewport=viewport,
            millimetres_per_pixel=subject.millimetres_per_pixel,
            light=light,
            ambient=ambient,
            material=subject.material,
        )
        self._room_level = float(rng.uniform(0.35, 1.0)) * ambient.lux
        distance = viewport.focal * subject.millimetres_per_pixel / subject.backdrop.nearness
        wall = light.vectors(
            np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32), np.full((1, 1), -distance, np.float32)
        )
        self._wall: NDArray[np.float64] = wall[:, 2, 0, 0].astype(np.float64)

    def render(
        self,
        time: float,
        *,
        exposure: float,
        readout: float,
        gains: NDArray[np.float64],
        pedestal: float = 0.0,
    ) -> NDArray[np.float32]:
        """Render the light that reaches the sensor.

        Args:
            time: Start of the first row's exposure, seconds.
            exposure: Exposure of a row, seconds.
            readout: Time from the first row to the last, seconds.
            gains: Factor on each channel, blue-green-red.
            pedestal: Added to every pixel, after the gains.

        Returns:
            Shape (height, width, 3), float32, writable.
        """
        view = self._subject.render(time + (readout + exposure) / 2)
        maps = self._surface.maps(view.sight, points=view.eyes)
        row_times = time + readout * (np.arange(len(maps.ambient)) + 0.5) / len(maps.ambient)
        bands, swing = self._over_rows(row_times, exposure)
        lamp, tint = (bands * gains).astype(np.float32), (self._ambient.colour * gains).astype(np.float32)
        cover = cv2.extractChannel(view.layer, 3).astype(np.float32) * np.float32(1 / 255)
        light, glare = self._light(maps, lamp, swing.astype(np.float32)[:, None], tint, cover)
        room = self._subject.backdrop.show(pan=view.pan, camera=view.moved)
        subject = cv2.cvtColor(view.layer, cv2.COLOR_BGRA2BGR)
        albedo = cv2.LUT(cv2.blendLinear(subject, room, cover, 1 - cover), linear_table())
        scene = self._enlarge(glare + np.float32(pedestal))
        cv2.accumulateProduct(albedo, self._enlarge(light), scene)
        if view.glint > 0:
            self._add_glints(scene, view, maps, lamp.mean(axis=(0, 1)))
        return scene

    def _over_rows(
        self, row_times: NDArray[np.float64], exposure: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bands' luminance, shape (rows, bands, 3), and the lamps' flicker, over the exposure."""
        offsets = (np.arange(_SAMPLES) + 0.5) / _SAMPLES * exposure
        times = (row_times[:, None] + offsets).ravel()
        bands = self._screen.bands(times, bands=BANDS).reshape(len(row_times), _SAMPLES, BANDS, 3)
        return bands.mean(axis=1), self._ambient.flicker(row_times, exposure=exposure)

    def _light(
        self,
        maps: LightMaps,
        lamp: NDArray[np.float32],
        swing: NDArray[np.float32],
        tint: NDArray[np.float32],
        cover: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the factor on the colours and the light added to them, at a quarter of the resolution.

        The light of subject and room is joined as their colours are. The subject's light ends up to four
        pixels inside its edge, so that none of it falls on the wall. The surface is dark there anyway,
        because the camera sees it at a grazing angle.
        """
        material = self._subject.material
        fill = (maps.ambient * swing)[..., None] * tint
        light = maps.diffuse @ lamp + fill
        glare = np.zeros_like(light) if maps.gloss is None else maps.gloss @ lamp
        if material.emission > 0:
            # A screen has nearly no albedo; its glass mirrors the room a little.
            glare += material.albedo * light + _VEIL * material.gloss * fill
            white = np.pi * material.emission * tint / self._ambient.colour
            light = np.broadcast_to(white.astype(np.float32), light.shape)
        # The wall is far away: it has one illuminance, with each row at its own time.
        room = np.einsum("rkc,k->rc", lamp, self._wall) + self._room_level * swing * tint
        tall, wide = maps.ambient.shape
        share = _float(cv2.resize(cover, (wide, tall), interpolation=cv2.INTER_AREA))[..., None]
        share = np.clip(2 * share - 1, 0, 1)
        joined = share * light + (1 - share) * room[:, None].astype(np.float32)
        return joined, share * glare

    def _enlarge(self, light: NDArray[np.float32]) -> NDArray[np.float32]:
        size = (self._viewport.width, self._viewport.height)
        return _float(cv2.resize(light, size, interpolation=cv2.INTER_LINEAR))

    def _add_glints(
        self, scene: NDArray[np.float32], view: SubjectView, maps: LightMaps, lamp: NDArray[np.float64]
    ) -> None:
        """Add the screen's image in each cornea, a mirror of 3.9 mm focal length."""
        phone, scale = self._screen.settings, self._subject.millimetres_per_pixel
        away = self._viewport.focal * scale * (1 - view.placement.approach)
        shrunk = _CORNEA_FOCAL_MM / away / scale
        half_x, half_y = max(0.6, phone.width_mm * shrunk / 3), max(0.6, phone.height_mm * shrunk / 3)
        size = phone.width_mm * phone.height_mm * shrunk * shrunk
        # The blur of the lens does not change the total light of the image.
        peak = np.pi * _CORNEA * lamp * min(1.0, size / (2 * np.pi * half_x * half_y)) * view.glint
        below = (phone.below_camera_mm + phone.height_mm / 2) * shrunk
        for x, y in maps.places - self._viewport.margin + view.pan:
            left, top = round(float(x)) - _GLINT_REACH, round(float(y + below)) - _GLINT_REACH
            right, bottom = left + 2 * _GLINT_REACH + 1, top + 2 * _GLINT_REACH + 1
            if left < 0 or top < 0 or right > scene.shape[1] or bottom > scene.shape[0]:
                continue
            across = np.exp(-(((np.arange(left, right) - x) / half_x) ** 2) / 2)
            down = np.exp(-(((np.arange(top, bottom) - y - below) / half_y) ** 2) / 2)
            scene[top:bottom, left:right] += (down[:, None] * across)[..., None] * peak.astype(np.float32)


def _float(values: object) -> NDArray[np.float32]:
    """Return an untyped OpenCV array as float32; a float32 array is returned unchanged."""
    return np.asarray(values, dtype=np.float32)

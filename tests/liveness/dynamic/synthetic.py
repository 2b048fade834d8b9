"""A small renderer of flash scans, independent of ``simulator`` and not used for calibration.

A Lambertian ellipsoid with a nose in front of a wall, a screen of four bands with inverse-square fall-off, a
directed and a diffuse ambient light, a camera with exposure and white-balance loops, noise and a tone curve.
Light is in lux; 0.25 m to the face and a 400 cd/m2 screen give about 45."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.exposure import ExposureClaim
from liveness.dynamic.challenge.script import ColourScript, ColourStep, RevealedStep
from liveness.dynamic.judge import FlashResult, judge_flash
from liveness.dynamic.measurement.sampling import sample_light
from liveness.dynamic.model import load_flash_model
from liveness.dynamic.sample import FlashSample
from vision.face import Box, DetectedFace

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 96, 128
EYE = 24.0
_EYE_METRES = 0.063
_BANDS = 4
_CENTRE = (48.0, 54.0)
CLOCK_OFFSET = 5000.0


class RenderedKind(Enum):
    GENUINE = auto()
    MASK = auto()
    CLEAN = auto()
    RECORDED = auto()
    TINT_FACE = auto()
    TINT_FRAME = auto()
    RELIT = auto()
    PRINT = auto()
    GLASS = auto()
    """A display that shows the head, and mirrors the phone's screen in its glass."""


def exposure_claim(
    seconds: float = 0.0, iso: float = 0.0, *, readout: float = 0.0, locked: bool = False
) -> ExposureClaim:
    """The claim of an exposure, in seconds; 0 for what is not stated."""
    return ExposureClaim(
        exposure_time_ns=round(1e9 * seconds),
        iso=round(iso),
        rolling_shutter_skew_ns=round(1e9 * readout),
        exposure_locked=locked,
    )


@dataclass(frozen=True)
class Scene:
    """The scene in front of the camera, and the camera."""

    kind: RenderedKind = RenderedKind.GENUINE
    seed: int = 0
    ambient_lux: float = 150.0
    ambient_colour: tuple[float, float, float] = (1.25, 1.0, 0.7)
    ambient_from: tuple[float, float, float] = (0.4, -0.8, 0.5)
    screen_nits: float = 400.0
    distance: float = 0.3
    wall: float = 1.5
    wall_albedo: float = 0.5
    skin: tuple[float, float, float] = (0.55, 0.36, 0.27)
    frames_per_second: float = 24.0
    noise: float = 0.01
    exposure_seconds: float = 0.4
    exposure_pull: float = 0.7
    motion: float = 0.02
    gamma: float | None = None
    latency: float = 0.06
    latency_jitter: float = 0.004
    attack_latency: float = 0.1
    attack_jitter: float = 0.01
    attack_strength: float = 0.35
    round_trip: float = 0.05
    metadata: bool = True
    detector_noise: float = 0.3
    display_nits: float = 120.0
    gloss: float = 0.04
    tilt: tuple[float, float] = (0.2, -0.4)


@dataclass
class Scan:
    """What the server has of a rendered scan: the frames' samples, and the steps that it revealed."""

    samples: list[FlashSample]
    sent: list[RevealedStep]


class _World:
    """Geometry and light of one scene, before motion."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
        x, y = (columns - _CENTRE[0]) / EYE, (rows - _CENTRE[1]) / EYE
        inside = 1 - (x / 1.08) ** 2 - ((y - 0.38) / 1.5) ** 2
        self.head = inside > 0
        flat = scene.kind in {RenderedKind.PRINT, RenderedKind.GLASS}
        depth = np.sqrt(np.maximum(inside, 0)) * 1.15
        depth += 0.30 * np.exp(-((x / 0.16) ** 2) - ((y - 0.42) / 0.28) ** 2)
        depth -= 0.10 * np.exp(-(((np.abs(x) - 0.5) / 0.22) ** 2) - (y / 0.16) ** 2)
        shaped = _normals(depth)
        face_z = np.zeros_like(depth) if flat else depth
        normals = _normals(np.zeros_like(depth)) if flat else shaped
        metres = np.stack([x * _EYE_METRES, y * _EYE_METRES, scene.distance - face_z * _EYE_METRES], -1)
        wall = np.stack([x, y, np.full_like(x, 1)], -1) * scene.wall
        places = np.where(self.head[..., None] | flat, metres, wall)
        facing = np.where(self.head[..., None], normals, (0.0, 0.0, -1.0))
        texture = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 3)
        skin = np.array(scene.skin)
        dark = np.exp(-(((np.abs(x) - 0.5) / 0.16) ** 2) - (y / 0.09) ** 2)
        dark += 0.7 * np.exp(-(((np.abs(x) - 0.5) / 0.3) ** 2) - ((y + 0.28) / 0.06) ** 2)
        dark += 0.4 * np.exp(-((x / 0.35) ** 2) - ((y - 1.15) / 0.08) ** 2)
        albedo = skin * (1 - 0.8 * np.minimum(dark, 1))[..., None] * (1 + 0.1 * texture[..., None])
        paint = scene.wall_albedo * (1 + 0.3 * texture[..., None])
        self.albedo = np.clip(np.where(self.head[..., None], albedo, paint), 0.02, 0.95)
        if flat:
            baked = 0.3 + 0.7 * np.clip(-shaped[..., 2] * 0.8 - shaped[..., 1] * 0.4, 0, 1)
            self.albedo = np.clip(self.albedo * np.where(self.head, baked, 1.0)[..., None], 0.02, 0.95)
        towards = np.array(scene.ambient_from) * (1, 1, -1)
        towards = towards / np.linalg.norm(towards)
        directed = np.clip(facing @ towards, 0, 1)
        diffuse = 0.6 + 0.4 * (1 - facing[..., 1]) / 2
        level = scene.ambient_lux * (0.6 * diffuse + 0.6 * directed)
        self.ambient = level[..., None] * np.array(scene.ambient_colour)
        self.bands = np.stack([_band(scene, places, facing, band) for band in range(_BANDS)])
        if scene.kind is RenderedKind.GLASS:
            self.ambient = np.full_like(self.ambient, math.pi * scene.display_nits)
            self.bands = np.stack([_mirrored(scene, metres, band) for band in range(_BANDS)])
        generic = -_normals(np.sqrt(np.maximum(inside, 0)) * 1.15)[..., 2]
        self.generic = np.where(self.head, 0.2 + generic, 0.0)


def _normals(depth: Floats) -> Floats:
    down, across = np.gradient(depth * EYE)
    normals = np.stack([-across, -down, -np.ones_like(depth)], -1)
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True))


def _band(scene: Scene, places: Floats, facing: Floats, band: int) -> Floats:
    """Illuminance in lux from one band of a white screen."""
    height = 0.02 + 0.14 * (band + 0.5) / _BANDS
    away = np.array([0.0, height, 0.0]) - places
    square = (away**2).sum(-1)
    direction = away / np.sqrt(square)[..., None]
    at_skin = np.clip((direction * facing).sum(-1), 0, 1)
    at_screen = np.clip(-direction[..., 2], 0, 1)
    return np.asarray(scene.screen_nits * 0.065 * 0.14 / _BANDS * at_skin * at_screen / square)


def _mirrored(scene: Scene, places: Floats, band: int) -> Floats:
    """The glass's mirror image of one band of a white screen, as illuminance of white paper, lux.

    Half the screen's size, because its image is as far behind the glass as the screen is before it.
    ``tilt`` moves it, eye distances.
    """
    height, half = 0.02 + 0.14 * (band + 0.5) / _BANDS, 0.065 / 4
    across = places[..., 0] - scene.tilt[0] * _EYE_METRES
    down = places[..., 1] - height / 2 - scene.tilt[1] * _EYE_METRES
    inside = (np.abs(across) < half) & (np.abs(down) < 0.14 / _BANDS / 4)
    blurred = cv2.GaussianBlur(inside.astype(np.float64), (0, 0), 1.0)
    return np.asarray(math.pi * scene.gloss * scene.screen_nits * blurred)


class Phone:
    """The screen: its content over time, and the device's claims about it."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        self.shown: list[tuple[float, ColourStep]] = []

    def show(self, step: ColourStep, requested: float) -> None:
        jitter = self._rng.normal(0, self._scene.latency_jitter)
        after = self.shown[-1][0] + 0.02 if self.shown else 0.0
        self.shown.append((max(after, requested + 0.03 + jitter), step))

    def claims(self, time: float) -> tuple[int, float | None]:
        on = [(since, step) for since, step in self.shown if since <= time]
        return (on[-1][1].number, on[-1][0]) if on else (0, None)

    def bands(self, time: float, late: float) -> Floats:
        """Linear light of each band, (bands, 3)."""
        light = np.full((_BANDS, 3), 0.3)
        for since, step in self.shown:
            start = since + late + step.transition_seconds * np.arange(_BANDS) / _BANDS
            length = max(0.01, step.transition_seconds / _BANDS)
            into = np.clip((time - start) / length, 0, 1)[:, None]
            light = light + into * (step.colour.linear - light)
        return light


class _Camera:
    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        self._gain = 0.0
        self._balance = np.ones(3)
        self._time = -1.0

    def take(self, light: Floats, time: float) -> tuple[NDArray[np.uint8], float]:
        scene = self._scene
        level = float(light.mean())
        wanted = 0.18 / max(level, 1e-3)
        if self._time < 0:
            self._gain = wanted
            self._balance = light.mean() / light.mean(axis=(0, 1))
        passed = 0.0 if self._time < 0 else time - self._time
        pull = 1 - math.exp(-passed / scene.exposure_seconds)
        self._gain *= (wanted / self._gain) ** (scene.exposure_pull * pull)
        grey = light.mean() / light.mean(axis=(0, 1))
        self._balance += 0.3 * (1 - math.exp(-passed / 1.5)) * (grey - self._balance)
        self._time = time
        seen = light * self._gain * self._balance
        grain = scene.noise * math.sqrt(1 + 40 / max(level, 1.0))
        seen = seen + grain * np.sqrt(np.maximum(seen, 0) + 0.02) * self._rng.normal(size=seen.shape)
        seen = np.clip(seen, 0, 1)
        coded = 255 * (_encode(seen) if scene.gamma is None else seen ** (1 / scene.gamma))
        return np.round(coded[..., ::-1]).astype(np.uint8), self._gain


def _encode(light: Floats) -> Floats:
    return np.asarray(np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055))


def _decode(coded: Floats) -> Floats:
    return np.asarray(np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4))


class Film:
    """Renders frames one after another."""

    def __init__(self, scene: Scene, phone: Phone, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        self._world = _World(scene, rng)
        self._camera = _Camera(scene, rng)
        self._phase = rng.uniform(0, 2 * math.pi, 4)
        self._phone = phone
        self._other = Phone(scene, rng)
        if scene.kind is RenderedKind.RECORDED:
            script = ColourScript(rng.bytes)
            time = float(rng.uniform(0, 0.4))
            self._other.show(script.lead_in(), time)
            for _ in range(30):
                step = script.draw()
                time += float(rng.uniform(0.4, 0.6))
                self._other.show(step, time)

    def frame(self, time: float) -> tuple[NDArray[np.uint8], DetectedFace, ExposureClaim | None]:
        scene, world = self._scene, self._world
        if scene.kind is RenderedKind.RECORDED:
            bands = self._other.bands(time, scene.latency)
        elif scene.kind in {RenderedKind.GENUINE, RenderedKind.MASK, RenderedKind.PRINT, RenderedKind.GLASS}:
            bands = self._phone.bands(time, scene.latency)
        else:
            bands = np.full((_BANDS, 3), 0.3)
        lit = np.einsum("bhw,bc->hwc", world.bands, bands)
        if scene.kind is RenderedKind.GLASS:
            # A mirror image adds to the display's content, however dark that is.
            light = world.ambient * world.albedo + lit
        else:
            light = (world.ambient + lit) * world.albedo
        sway = scene.motion * np.sin(np.array([1.3, 1.9, 2.3, 1.1]) * time + self._phase)
        shift = sway[:2] * EYE
        matrix = np.array([[1 + sway[2] / 2, 0, 0], [0, 1 + sway[2] / 2, 0]], np.float64)
        matrix[:, 2] = shift - np.array(_CENTRE) * (matrix[0, 0] - 1)
        light = light * (1 + sway[3])
        seen = cv2.warpAffine(light, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        pixels, gain = self._camera.take(np.asarray(seen, np.float64), time)
        if scene.kind in {RenderedKind.TINT_FACE, RenderedKind.TINT_FRAME, RenderedKind.RELIT}:
            pixels = self._painted(pixels, time)
        points = np.array(
            [[-0.5, 0], [0.5, 0], [0, 0.57], [-0.41, 1.155], [0.41, 1.155]], np.float64
        ) * EYE + np.array(_CENTRE)
        points = points @ matrix[:, :2].T + matrix[:, 2]
        points += self._rng.normal(0, scene.detector_noise, points.shape)
        left, top = points.min(axis=0) - EYE
        right, bottom = points.max(axis=0) + EYE
        face = DetectedFace(
            box=Box(float(left), float(top), float(right), float(bottom)),
            confidence=0.9,
            five_points=points.astype(np.float32),
        )
        # gain = k * t * iso; a mid-grey of 0.18 at f/2 and lux E needs t * iso = 8.7 * 18 / E or so.
        product = gain * 160.0
        seconds = min(1 / 30, product / 50)
        reading = exposure_claim(seconds, product / seconds, locked=scene.exposure_pull == 0)
        return pixels, face, reading if scene.metadata else None

    def _painted(self, pixels: NDArray[np.uint8], time: float) -> NDArray[np.uint8]:
        scene = self._scene
        late = scene.attack_latency + float(self._rng.normal(0, scene.attack_jitter))
        colour = self._phone.bands(time, late).mean(axis=0) - 0.5
        light = _decode(pixels[..., ::-1] / 255)
        where = np.ones((HEIGHT, WIDTH))
        if scene.kind is RenderedKind.TINT_FACE:
            where = self._world.head.astype(np.float64)
        if scene.kind is RenderedKind.RELIT:
            where = self._world.generic
        light = light * np.exp(scene.attack_strength * where[..., None] * colour)
        return np.round(255 * _encode(np.clip(light, 0, 1))[..., ::-1]).astype(np.uint8)


def run_scan(scene: Scene) -> Scan:
    """A scan of 8 steps with a server that reveals each once the previous one was held, as frames claim."""
    rng = np.random.default_rng(scene.seed)
    script = ColourScript(rng.bytes)
    phone = Phone(scene, rng)
    film = Film(scene, phone, rng)
    sent: list[RevealedStep] = []
    samples: list[FlashSample] = []
    arrived: list[tuple[float, FlashSample]] = []
    closing: float | None = None
    for index, time in enumerate(_times(scene, rng)):
        if closing is not None and time > closing:
            break
        pixels, face, reading = film.frame(time)
        number, since = phone.claims(time)
        sample = sample_light(
            pixels,
            index=index,
            capture_time=time,
            arrival_time=CLOCK_OFFSET + time + scene.round_trip / 2 + abs(float(rng.normal(0, 0.004))),
            face=face,
            step=number,
            step_since=since,
            exposure=reading,
        )
        samples.append(sample)
        arrived.append((sample.arrival_time, sample))
        if time > 0.3 and _held(sent, arrived) and not (sent and sent[-1].step.last):
            now = arrived[-1][0]
            step = script.lead_in() if not sent else script.close() if len(sent) > 8 else script.draw()
            sent.append(RevealedStep(step, now))
            phone.show(step, now - CLOCK_OFFSET + scene.round_trip / 2)
            if step.last:
                closing = time + 0.4
    return Scan(samples, sent)


def _held(sent: list[RevealedStep], arrived: list[tuple[float, FlashSample]]) -> bool:
    if not sent:
        return True
    step, (now, sample) = sent[-1].step, arrived[-1]
    if now - sent[-1].at > 2.0:
        return True
    if sample.step != step.number or sample.step_since is None:
        return False
    return sample.capture_time >= sample.step_since + step.hold_seconds + step.transition_seconds


def _times(scene: Scene, rng: np.random.Generator) -> Iterator[float]:
    time = 0.0
    for _ in range(300):
        yield time
        time += (1 + 0.1 * float(np.clip(rng.normal(), -2, 2))) / scene.frames_per_second


# Rendered scans that several tests share; each is rendered once.


@cache
def rendered(kind: RenderedKind, lux: float = 150.0, seed: int = 1) -> Scan:
    return run_scan(Scene(kind=kind, ambient_lux=lux, seed=seed))


@cache
def judged(kind: RenderedKind, lux: float = 150.0, seed: int = 1) -> FlashResult:
    scan = rendered(kind, lux, seed)
    return judge_flash(samples=scan.samples, revealed=scan.sent, model=load_flash_model())

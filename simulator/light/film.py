"""Filming a lit scene: one frame after another through the phone's camera."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from simulator.frame import SimulatedFrame
from simulator.light.lit_scene import LitScene
from simulator.light.phone_camera import FlashCameraSettings, PhoneCamera

__all__ = ["film"]


def film(
    scene: LitScene,
    camera: PhoneCamera,
    settings: FlashCameraSettings,
    times: Iterable[float],
    *,
    locked: Callable[[float], bool],
) -> Iterator[SimulatedFrame]:
    """The frames that ``camera`` takes of ``scene``, each rendered when it is asked for.

    Args:
        scene: What is in front of the lens.
        camera: Not started yet.
        settings: The camera's.
        times: Time stamps of the frames in seconds, rising.
        locked: Whether what the app locks of the camera is locked at a time.
    """
    for time in times:
        begin, readout = time - settings.stamp_lag_seconds, settings.rolling_shutter_seconds
        if not camera.started:
            first = scene.render(begin, exposure=0.0, readout=readout, gains=np.ones(3))
            camera.start(first)
        exposed = scene.render(
            begin,
            exposure=camera.exposure_time,
            readout=readout,
            gains=camera.gains,
            pedestal=camera.pedestal,
        )
        pixels, said = camera.take(exposed, time, locked=locked(time))
        yield SimulatedFrame(pixels=pixels, capture_time=time, exposure=said)

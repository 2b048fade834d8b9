"""Films a lit scene with the phone's camera, frame by frame."""

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
    """Render the frames that ``camera`` takes of ``scene``, each on request.

    Args:
        scene: The scene in front of the lens.
        camera: The camera, not started.
        settings: Settings of the camera.
        times: Time stamps of the frames in seconds, rising.
        locked: Whether the camera's locks, as far as the app uses them, are set at a time.
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

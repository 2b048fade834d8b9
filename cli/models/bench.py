"""Measures the CPU time of each model of a pack, on a photo from an installed package."""

from collections.abc import Callable
from typing import Final

from cli.errors import BenchImpossible
from evaluation.bench import BenchError, Measurement, ModelClock, timed_pack
from simulator.errors import SimulatorError
from simulator.photos import builtin_image
from vision.errors import ModelFailed
from vision.face import BgrImage
from vision.packs import Pack

__all__ = ["PHOTO", "measure_models"]

PHOTO: Final = "red-shirt"
"""Part of insightface, which every installation includes."""

_WARM_UPS: Final = 2


def measure_models(
    pack: Pack, *, spec: str, runs: int, say: Callable[[str], None] = lambda text: None
) -> tuple[Measurement, ...]:
    """Measures the CPU time of each model for one photo of one face, in milliseconds.

    Each run calls each model once, one after the other, so that a slow moment of the machine affects all of
    them. The first runs, which allocate memory, are not counted.

    Args:
        pack: The models.
        spec: Name of the pack in settings.
        runs: Counted runs, 1 or more.
        say: Receives the progress as text.

    Returns:
        One measurement for each model, in the order in which a frame passes them.

    Raises:
        BenchImpossible: The photo is not installed, or a model fails or finds no face in it.
    """
    try:
        photo = builtin_image(PHOTO)
        clock = ModelClock()
        timed = timed_pack(pack, clock)
        for number in range(_WARM_UPS):
            say(f"warming up, {number + 1} of {_WARM_UPS}")
            _once(timed, photo)
        clock.read_and_reset()
        values: dict[str, list[float]] = {}
        for number in range(runs):
            say(f"run {number + 1} of {runs}")
            _once(timed, photo)
            for model, seconds in clock.read_and_reset().seconds.items():
                values.setdefault(model, []).append(1000 * seconds)
        height, width = photo.shape[:2]
        return tuple(
            Measurement(
                pack=spec,
                name=model,
                load="one model at a time",
                unit="ms",
                meaning=f"CPU time of one call on a photo of {width} x {height} pixels with one face",
                values=tuple(of_model),
            )
            for model, of_model in values.items()
        )
    except (BenchError, SimulatorError) as error:
        raise BenchImpossible(f"the models cannot be measured: {error}") from error
    except ModelFailed as error:
        raise BenchImpossible(
            f"a model failed on the built-in photo: {error}. Check with `facegate models verify`."
        ) from error


def _once(pack: Pack, photo: BgrImage) -> None:
    faces = pack.detector.detect(photo)
    if not faces:
        raise BenchImpossible(
            "the detector finds no face in the built-in photo, so the other models have no input. "
            "Check with `facegate models verify`."
        )
    if pack.landmarker is not None:
        pack.landmarker.locate(photo, faces[0])
    pack.embedder.embed(photo, faces[0])
    for network in pack.pad_networks:
        network.real_probability(photo, faces[0])

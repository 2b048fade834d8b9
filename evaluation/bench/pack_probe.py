"""Measures the cost of a pack in a fresh process: time to load, memory, time of each model.

Run as ``python -m evaluation.bench.pack_probe <question> <pack> <image> [<module> ...]``; the answer is one
line of JSON on standard output. Questions:

``load``
    Loads the pack and runs each model once.
``import``
    Imports the modules that ``load`` imported, and loads nothing, as the baseline of the memory.
``time``
    Loads the pack with its optimised and with its published graphs, and times the models of both.
"""

import importlib
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from evaluation.bench.errors import NothingMeasured
from formats.image_format import ImageFormat
from vision.errors import VisionError
from vision.face import BgrImage
from vision.image import DecodeLimits, decode_image
from vision.onnx_sessions import RuntimeOptions
from vision.packs import Pack, default_models_dir, load_pack

__all__ = ["main", "model_calls", "peak_bytes", "time_pairs"]

_MIB: Final = 1024 * 1024
_LIMITS: Final = DecodeLimits(max_bytes=20 * _MIB, max_pixels=50_000_000, max_side=12_000)
_STATUS: Final = Path("/proc/self/status")
_WARM_UPS: Final = 2
_ROUNDS: Final = 15


def model_calls(pack: Pack, image: BgrImage) -> dict[str, Callable[[], object]]:
    """Return a call for each model of a pack, which runs it once on ``image``.

    Raises:
        NothingMeasured: The detector finds no face.
        ModelFailed: The detector cannot be run.
    """
    faces = pack.detector.detect(image)
    if not faces:
        raise NothingMeasured("the detector finds no face, which the other models need")
    face, landmarker = faces[0], pack.landmarker
    calls: dict[str, Callable[[], object]] = {"detector": lambda: pack.detector.detect(image)}
    if landmarker is not None:
        calls["landmarks"] = lambda: landmarker.locate(image, face)
    calls["embedder"] = lambda: pack.embedder.embed(image, face)
    for network in pack.pad_networks:
        calls[f"PAD {network.name}"] = partial(network.real_probability, image, face)
    return calls


def time_pairs(
    ours: Mapping[str, Callable[[], object]],
    theirs: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, tuple[float, float]]:
    """Times the same models of two packs in turn, so that a disturbance affects both.

    Args:
        ours: Models of the first pack by name.
        theirs: Models of the second pack, with the same names.
        rounds: Number of runs of each.
        clock: CPU seconds; all threads of the process by default.

    Returns:
        By name: median seconds of ``ours``, and the median of ``theirs`` divided by ``ours``.
    """
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ours}
    for number in range(rounds):
        for name in ours:
            calls = (ours[name], theirs[name])
            spent = [0.0, 0.0]
            # The order alternates, because the second model finds the caches warm.
            for index in (0, 1) if number % 2 else (1, 0):
                began = clock()
                calls[index]()
                spent[index] = clock() - began
            seconds[name].append((spent[0], spent[1]))
    return {
        name: (
            statistics.median(mine for mine, _ in pairs),
            statistics.median(other / mine for mine, other in pairs),
        )
        for name, pairs in seconds.items()
    }


def peak_bytes(status: str) -> int:
    """Return the peak memory of a process, from the text of its ``/proc/<pid>/status``.

    ``getrusage`` is not suitable, because Linux passes a parent's peak to the processes that it starts.

    Raises:
        NothingMeasured: The text does not state it.
    """
    for line in status.splitlines():
        name, _, value = line.partition(":")
        if name == "VmHWM":
            return int(value.split()[0]) * 1024
    raise NothingMeasured("this system does not report the peak memory of a process")


def main(arguments: Sequence[str]) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    question, spec, file, *modules = arguments
    try:
        image = decode_image(
            Path(file).read_bytes(),
            limits=_LIMITS,
            formats=frozenset(ImageFormat),
            honour_exif_orientation=True,
        ).pixels
        if question == "load":
            answer = _load(spec, image)
        elif question == "import":
            answer = _import(modules)
        else:
            answer = _time(spec, image)
    except (NothingMeasured, VisionError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _load(spec: str, image: BgrImage) -> dict[str, Any]:
    before = set(sys.modules)
    began = time.perf_counter()
    pack = _pack(spec, RuntimeOptions())
    seconds = time.perf_counter() - began
    for call in model_calls(pack, image).values():
        call()
    return {
        "seconds": seconds,
        "peak_bytes": peak_bytes(_STATUS.read_text()),
        "modules": sorted(set(sys.modules) - before),
    }


def _import(modules: Sequence[str]) -> dict[str, Any]:
    for name in modules:
        # Some modules are created by others and cannot be imported by name.
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    return {"peak_bytes": peak_bytes(_STATUS.read_text())}


def _time(spec: str, image: BgrImage) -> dict[str, Any]:
    pack = _pack(spec, RuntimeOptions())
    ours = model_calls(pack, image)
    theirs = model_calls(_pack(spec, RuntimeOptions(rewrite_graphs=False)), image)
    time_pairs(ours, theirs, rounds=_WARM_UPS)
    return {"models": time_pairs(ours, theirs, rounds=_ROUNDS), "runtime": pack.runtime}


def _pack(spec: str, runtime: RuntimeOptions) -> Pack:
    return load_pack(spec, models_dir=default_models_dir(os.environ, Path.home()), runtime=runtime)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

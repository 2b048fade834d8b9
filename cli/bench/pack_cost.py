"""The suite of packs: time to load, memory, and each model alone, in separate processes."""

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cli.bench.setting import Bench
from cli.errors import PackNotMeasured
from evaluation.bench import Measurement
from vision.own_process import module_command

__all__ = ["cost_measurements", "measure_pack"]

_PROBE: Final = module_command("evaluation.bench.pack_probe")
_LOADS: Final = 3
_PROBE_SECONDS: Final = 60.0
_MS: Final = 1000.0
_MIB: Final = 1024 * 1024
_LOAD: Final = "pack alone"
_ONNX: Final = "ONNX Runtime"


async def measure_pack(bench: Bench) -> tuple[Measurement, ...]:
    """Measures the cost of a pack without scans.

    Raises:
        PackNotMeasured: A process failed.
    """
    frames = sorted(bench.material.frames.iterdir())
    image = frames[len(frames) // 2]
    loads = []
    for number in range(1, _LOADS + 1):
        bench.say(f"{bench.pack}: loading in a fresh process, {number} of {_LOADS}")
        loads.append(await _ask("load", bench.pack, image))
    bench.say(f"{bench.pack}: memory without models")
    bare = await _ask("import", bench.pack, image, modules=loads[0]["modules"])
    bench.say(f"{bench.pack}: each model alone")
    timed = await _ask("time", bench.pack, image)
    return cost_measurements(bench.pack, loads=loads, bare=bare, timed=timed)


def cost_measurements(
    pack: str, *, loads: Sequence[Mapping[str, Any]], bare: Mapping[str, Any], timed: Mapping[str, Any]
) -> tuple[Measurement, ...]:
    """Returns the measurements from the answers of ``evaluation.bench.pack_probe``.

    Args:
        pack: Name of the pack.
        loads: Answers to ``load``, at least one.
        bare: Answer to ``import``.
        timed: Answer to ``time``.

    Raises:
        NothingMeasured: There are no loads.
        PackNotMeasured: An answer lacks a value.
    """

    def figure(name: str, unit: str, meaning: str, *values: float) -> Measurement:
        return Measurement(pack=pack, name=name, load=_LOAD, unit=unit, meaning=meaning, values=values)

    try:
        measurements = [
            figure(
                "time to load",
                "ms",
                "Wall time of load_pack in a new process, with the libraries that it imports; the files "
                "were in the system's cache.",
                *(_MS * load["seconds"] for load in loads),
            ),
            figure(
                "memory of the models",
                "MiB",
                "Peak memory of a new process that loads the pack and runs each model once, less the peak of "
                "a process that imports the same modules and loads nothing.",
                *((load["peak_bytes"] - bare["peak_bytes"]) / _MIB for load in loads),
            ),
            figure(
                "memory of the process",
                "MiB",
                "The same peak with the interpreter and all libraries.",
                *(load["peak_bytes"] / _MIB for load in loads),
            ),
        ]
        for name, (seconds, ratio) in timed["models"].items():
            measurements.append(
                figure(
                    f"{name} once",
                    "ms",
                    "CPU time of one call with its preprocessing, median of a separate process.",
                    _MS * seconds,
                )
            )
            if timed["runtime"].startswith(_ONNX):
                measurements.append(
                    figure(
                        f"{name}: published / run",
                        "",
                        "CPU time of the same call with the graph as it was published, divided by that with "
                        "the graph as Facegate runs it, measured alternately. 1 if nothing was rewritten.",
                        ratio,
                    )
                )
    except (KeyError, TypeError, ValueError) as error:
        raise PackNotMeasured(f"the process that measures {pack} gave an invalid answer") from error
    return tuple(measurements)


async def _ask(question: str, pack: str, image: Path, *, modules: Sequence[str] = ()) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *_PROBE,
        question,
        pack,
        os.fspath(image),
        *modules,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            answer, complaint = await process.communicate()
    except TimeoutError as error:
        raise PackNotMeasured(
            f"the process that measures {pack} did not answer within {_PROBE_SECONDS:g} seconds"
        ) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        reason = complaint.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise PackNotMeasured(f"{pack} could not be measured: {reason[-1]}")
    try:
        measured = json.loads(answer)
    except ValueError as error:
        raise PackNotMeasured(f"the process that measures {pack} gave an invalid answer") from error
    if not isinstance(measured, dict):
        raise PackNotMeasured(f"the process that measures {pack} gave an invalid answer")
    return measured

"""The machine: processors, memory, disk, isolation of decoders, ports, and the models that run on it."""

import asyncio
import errno
import importlib.util
import ipaddress
import json
import os
import resource
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Final, TypeVar

import aiohttp
import cv2
import numpy as np
from prometheus_client import CollectorRegistry

from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from cli.errors import CommandError
from cli.shown import counted
from server.base.errors import ConfigurationError
from server.base.process_limits import usable_processors
from server.checks.offer import pack_shortfall
from server.configuration.settings import SCANS_A_CORE
from server.device.configured import require_available, unlisted_origins
from server.device.trust import load_served_policies
from server.policies import PolicyBook, load_policies
from server.policies.loading import PolicyError
from server.running.capacity import share
from server.running.models import load_configured_pack, require_servable
from server.running.workers import DECODERS, decoder_bytes, make_decoders
from server.telemetry.metrics import Metrics
from vision.errors import DecoderUnavailable, ModelFailed, VisionError
from vision.face import BgrImage
from vision.packs import Pack
from vision.runtime_check import require_runtime

_WARM_UPS: Final = 2
_MIB: Final = 1024 * 1024
_GIB: Final = 1024 * _MIB
_LEAST_MEMORY: Final = _GIB
_LEAST_DISK: Final = _GIB
_LOW_DISK: Final = 5 * _GIB
_MEMORY_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


async def examine_machine(deployment: Deployment) -> list[Finding]:
    """Compare the limits of this process with the settings: start it with those of the server."""
    return [_processors(deployment), _handles(deployment), _memory(deployment)]


def _processors(deployment: Deployment) -> Finding:
    runtime = deployment.settings.runtime
    usable = usable_processors()
    threads = deployment.settings.workers
    found = f"{counted(threads, 'thread')} for {counted(usable, 'processor')}"
    if threads > max(1.0, usable):
        return warning(
            "THREADS_TOO_MANY",
            found,
            expected="runtime.workers at most the number of processors",
            remedy=f"set runtime.workers = {max(1, int(usable))}",
        )
    most = int(SCANS_A_CORE * max(1.0, usable))
    if (scans := deployment.settings.max_scans) > most and runtime.providers != "cuda":
        return warning(
            "SCANS_TOO_MANY",
            f"{found}, and {counted(scans, 'scan')} at once",
            expected=f"limits.max_scans at most {most}: more wait for each other",
            remedy="leave limits.max_scans out, or add processors",
        )
    return fine("THREADS_FIT", f"{found}, and {counted(scans, 'scan')} at once")


def _handles(deployment: Deployment) -> Finding:
    # A server raises its soft limit to the hard one.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    try:
        shared = share(deployment.settings.limits, scans=deployment.settings.max_scans, handles=hard)
    except ConfigurationError as error:
        return failure(
            "HANDLES_TOO_FEW",
            str(error),
            expected="enough for the limits of the settings",
            remedy="raise LimitNOFILE= or --ulimit nofile=, or lower limits.*",
        )
    return fine(
        "HANDLES_ENOUGH",
        f"{hard} file handles, for {shared.device} connections of devices and {shared.service} of backends",
    )


def _memory(deployment: Deployment) -> Finding:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):
        # "max" without a limit.
        total = min(total, int(_MEMORY_LIMIT.read_text()))
    decoders = DECODERS * _decoder_bytes(deployment)
    found = f"{total / _GIB:.1f} GiB of memory"
    if total < _LEAST_MEMORY:
        return failure(
            "MEMORY_TOO_SMALL",
            found,
            expected=f"{_LEAST_MEMORY / _GIB:.0f} GiB and the memory of decoders",
            remedy="give the server more memory",
        )
    if total < _LEAST_MEMORY + decoders:
        return warning(
            "MEMORY_TIGHT",
            found,
            expected=f"{(_LEAST_MEMORY + decoders) / _GIB:.1f} GiB, for every decoder at its limit",
            remedy="give the server more memory",
        )
    return fine("MEMORY_ENOUGH", found)


def _decoder_bytes(deployment: Deployment) -> int:
    """Return the memory of one decoder; the least, if policies cannot be read, which another area reports."""
    try:
        return decoder_bytes(_policies(deployment))
    except (ConfigurationError, PolicyError):
        return decoder_bytes(load_policies(None))


def _policies(deployment: Deployment) -> PolicyBook:
    settings = deployment.settings
    return load_served_policies(settings.policies, for_tests=settings.device_integrity.for_tests)


async def examine_disk(deployment: Deployment) -> list[Finding]:
    """Read how much of the disk under ``data_dir`` is free."""
    folder = deployment.settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found, remedy = (
        f"{free / _GIB:.1f} GiB free under {folder}",
        "facegate retention run, or enlarge the disk",
    )
    if free < _LEAST_DISK:
        return [failure("DISK_FULL", found, expected=f"{_LEAST_DISK / _GIB:.0f} GiB", remedy=remedy)]
    if free < _LOW_DISK:
        return [warning("DISK_LOW", found, expected=f"{_LOW_DISK / _GIB:.0f} GiB", remedy=remedy)]
    return [fine("DISK_FREE", found)]


async def examine_decoders(deployment: Deployment) -> list[Finding]:
    """Start the isolated decoders, and end them again."""
    decoders = make_decoders(Metrics(CollectorRegistry()), memory_bytes=_decoder_bytes(deployment))
    try:
        await asyncio.to_thread(decoders.start)
        states = decoders.states
    except DecoderUnavailable as error:
        return [
            failure(
                "DECODERS_UNAVAILABLE",
                str(error),
                expected="decoder processes that start",
                remedy="allow processes and memory",
            )
        ]
    finally:
        await asyncio.to_thread(decoders.close)
    if any(state.filter_errno != 0 for state in states.values()):
        return [
            warning(
                "SECCOMP_UNAVAILABLE",
                "the kernel or the container refuses to filter the system calls of decoders",
                expected="a seccomp filter",
                remedy="allow seccomp in the container's profile",
            )
        ]
    return [fine("DECODERS_ISOLATED", "system calls are filtered")]


_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def examine_ports(deployment: Deployment) -> list[Finding]:
    """Bind each port for a moment; if one is in use, ask the admin listener whether a server is ready."""
    listeners = deployment.settings.listeners
    places = {
        name: (one.host, one.port)
        for name, one in (
            ("device", listeners.device),
            ("service", listeners.service),
            ("admin", listeners.admin),
            ("web", listeners.web),
            ("console", listeners.console),
        )
        if one is not None and one.port
    }
    found = await asyncio.to_thread(lambda: list(_shared_ports(places)))
    used = []
    for name, (host, port) in places.items():
        refused = await asyncio.to_thread(_bound, host, port)
        if refused is None:
            found.append(fine("PORT_FREE", f"{name}: {host}:{port} is free"))
        elif refused.errno == errno.EADDRINUSE:
            used.append(name)
        else:
            found.append(
                failure(
                    "PORT_UNUSABLE",
                    f"{name}: {host}:{port}: {refused.strerror or refused}",
                    expected="an address of this machine, and a port that its user may use",
                    remedy=f"correct listeners.{name}",
                )
            )
    if used:
        found.append(await _served(used, listeners.admin.host, listeners.admin.port))
    return found


def _shared_ports(places: Mapping[str, tuple[str, int]]) -> Iterator[Finding]:
    for (first, (host, port)), (second, (other, same)) in combinations(places.items(), 2):
        if port == same and _overlap(host, other):
            yield failure(
                "PORT_TWICE",
                f"{first} and {second}: port {port}",
                expected="a port of its own for each listener",
                remedy=f"change listeners.{second}.port",
            )


def _overlap(first: str, second: str) -> bool:
    one, other = _addresses(first), _addresses(second)
    return bool(one & other) or any(address.is_unspecified for address in one | other)


def _addresses(host: str) -> frozenset[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found)


def _bound(host: str, port: int) -> OSError | None:
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with closing(socket.socket(family, kind)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


async def _served(used: list[str], host: str, port: int) -> Finding:
    names = ", ".join(used)
    shown = f"[{host}]" if ":" in host else host
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.get(f"http://{shown}:{port}/readyz") as answer,
        ):
            state = json.loads(await answer.read())
            parts = dict(state["parts"])
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError):
        return failure(
            "PORT_TAKEN",
            f"{names}: in use, and no server answers on the admin port",
            expected="a free port, or one of a running server",
            remedy="stop the process that listens there, or set another port",
        )
    if not state.get("ready"):
        bad = ", ".join(name for name, ready in parts.items() if not ready)
        return failure(
            "SERVER_NOT_READY",
            f"not ready: {bad}",
            expected="/readyz answers 200",
            remedy="read its log: not_ready",
        )
    return fine("SERVER_READY", f"a server serves {names}")


async def examine_models(deployment: Deployment) -> list[Finding]:
    """Load the pack, which hashes its files, and run each model once."""
    try:
        runtime = require_runtime()
        pack = await asyncio.to_thread(load_configured_pack, deployment.settings)
    except VisionError as error:
        return [
            failure(
                "MODELS_UNUSABLE",
                str(error),
                expected=f"the pack {deployment.settings.pack}, with the hashes of the catalogue",
                remedy="facegate models show, then facegate models pull",
            )
        ]
    found = [
        fine(
            "MODELS_LOADED", f"{pack.name} {pack.version}, {counted(len(pack.files), 'file')}, {pack.runtime}"
        )
    ]
    try:
        times = await asyncio.to_thread(_model_times, pack)
    except CommandError as error:
        found.append(
            failure(
                "INFERENCE_FAILED",
                str(error),
                expected="every model answers",
                remedy=f"reinstall the runtime ({runtime.onnxruntime}), or pull the pack again",
            )
        )
    else:
        names = ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in times.items())
        found.append(fine("INFERENCE_WORKS", names))
    return found


async def examine_policies(deployment: Deployment) -> list[Finding]:
    """Load the policies, and compare the default one with the pack and the settings, as a server does."""
    settings = deployment.settings
    try:
        policies = _policies(deployment)
        availabilities = require_available(policies, settings)
        pack: Pack = await asyncio.to_thread(load_configured_pack, settings)
        require_servable(
            policies,
            pack,
            default=settings.policies.default,
            allow_evaluation_pack=settings.allow_evaluation_pack,
        )
    except (ConfigurationError, PolicyError) as error:
        return [
            failure(
                "POLICIES_UNUSABLE",
                str(error),
                expected=f"a default policy that can be met ({settings.policies.default})",
                remedy="facegate policy show, or set policies.default",
            )
        ]
    except VisionError:
        # The area `models` reports it.
        return [fine("POLICIES_READ", "not compared with the pack, which cannot be loaded")]
    allowed = settings.allow_evaluation_pack
    unmet = [
        name
        for name, one in availabilities.items()
        if not one.available
        or pack_shortfall(policies.get(name).policy, pack, allow_evaluation_pack=allowed) is not None
    ]
    met = f"{len(availabilities) - len(unmet)} of {len(availabilities)} policies can be met"
    found = [
        fine(
            "POLICIES_READ",
            f"{met}; not {', '.join(unmet)}: facegate policy show says why" if unmet else met,
        )
    ]
    for name, origins in unlisted_origins(policies, settings).items():
        found.append(
            warning(
                "POLICY_ORIGINS_NOT_LISTED",
                f"device.web_origins of the policy {name}: {', '.join(origins)}",
                expected="only origins of device_integrity.web.origins; the server refuses all other pages",
                remedy="add them to device_integrity.web.origins, or correct the policy",
            )
        )
    return found


_Found = TypeVar("_Found")
_PACKAGE, _PHOTO = "insightface", "data/images/t1.jpg"
"""A photo of several people in a package that every installation includes."""
_PERSON: Final = slice(270, 630), slice(648, 908)
"""The rows and columns that show one of them alone."""
_SHORTER_SIDE: Final = 720


def _model_times(pack: Pack) -> dict[str, float]:
    """Run each model on a photo of one face, first to allocate memory.

    Returns:
        The CPU time of one call of each model in seconds, in the order in which a frame passes them.
    """
    photo = _photo()
    try:
        for _ in range(_WARM_UPS):
            _run_models(pack, photo)
        return _run_models(pack, photo)
    except ModelFailed as error:
        raise CommandError(
            f"a model failed on the built-in photo: {error}. Check with `facegate models show`."
        ) from error


def _photo() -> BgrImage:
    # find_spec does not import the package, which would take a second.
    spec = importlib.util.find_spec(_PACKAGE)
    folders = None if spec is None else spec.submodule_search_locations
    image = cv2.imread(str(Path(folders[0]) / _PHOTO), cv2.IMREAD_COLOR) if folders else None
    if image is None:
        raise CommandError(f"the models cannot be measured: the package {_PACKAGE} contains no {_PHOTO}")
    person = image[_PERSON]
    factor = _SHORTER_SIDE / min(person.shape[:2])
    return np.asarray(cv2.resize(person, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC), np.uint8)


def _run_models(pack: Pack, photo: BgrImage) -> dict[str, float]:
    """Run each model once; see ``_model_times``."""
    seconds: dict[str, float] = {}

    def timed(model: str, call: Callable[[], _Found]) -> _Found:
        # A model runs on the thread that calls it, whose clock does not count the wait for a core.
        began = time.thread_time()
        found = call()
        seconds[model] = time.thread_time() - began
        return found

    faces = timed("detector", lambda: pack.detector.detect(photo))
    if not faces:
        raise CommandError(
            "the detector finds no face in the built-in photo, so the other models have no input. "
            "Check with `facegate models show`."
        )
    face, landmarker = faces[0], pack.landmarker
    if landmarker is not None:
        timed("landmarker", lambda: landmarker.locate(photo, face))
    timed("embedder", lambda: pack.embedder.embed(photo, face))
    for network in pack.pad_networks:
        timed(f"pad:{network.name}", partial(network.real_probability, photo, face))
    return seconds

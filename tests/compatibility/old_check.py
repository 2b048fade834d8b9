"""A whole check by the client of commit 8bc137d; run as a script, with that commit's code on the path.

The person and the phone are that commit's as well: its simulator moves, blinks and lights a face as its
client requests. Prints one line of JSON.
"""

# mypy: ignore-errors
# ruff: noqa: I001
# The imports are not of today's code, with which mypy would compare them.

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from facegate.v1 import feedback_pb2, result_pb2, scan_pb2

from cli.simulated_phone import phone_in_hand
from client import (
    FaceScanner,
    Orchestrator,
    ScanEvents,
    fetch_key_set,
    generated_source,
    open_channel,
    ticket_of,
)
from simulator import (
    AmbientPreset,
    AmbientSettings,
    FlashKind,
    FlashScanSettings,
    ScanKind,
    ScanSettings,
    builtin_photos,
    simulate_scan,
)
from vision.onnx_sessions import RuntimeOptions
from vision.packs import embedded_pack
from vision.packs.catalogue import load_catalogue
from vision.packs.dlib_finder import DlibFinder
from vision.packs.dlib_models import DlibDetector, DlibLandmarker, ShapePredictor
from vision.packs.dlib_networks import finder_to_onnx
from vision.packs.verified_file import read_verified

PERSON = "astronaut"


def eyes():
    """The embedded pack's detector and landmarker, without the PAD network, which the archive leaves out."""
    folder, catalogue = embedded_pack._weights_folder(), load_catalogue()
    landmarks, finder = (
        read_verified(folder / entry.names[0], entry)
        for entry in (catalogue.only(kind) for kind in (embedded_pack._LANDMARKS, embedded_pack._FINDER))
    )
    shapes = ShapePredictor(landmarks.path)
    session = embedded_pack._session(finder, finder_to_onnx, RuntimeOptions())
    return DlibDetector(shapes, DlibFinder(session)), DlibLandmarker(shapes)


def express():
    """A person in front of a camera, without a screen that flashes."""
    detector, landmarker = eyes()
    person = builtin_photos(detector=detector, landmarker=landmarker, names=(PERSON,))[PERSON]
    # Long enough for all attempts, because a busy machine may fail one.
    settings = ScanSettings(kind=ScanKind.GENUINE, seed=3, seconds=60.0)
    frames = ((frame.pixels, frame.capture_time) for frame in simulate_scan(person, settings))
    return generated_source(frames, frames_per_second=settings.frames_per_second), None


def dynamic():
    """A person with a phone in the dark."""
    detector, landmarker = eyes()
    person = builtin_photos(detector=detector, landmarker=landmarker, names=(PERSON,))[PERSON]
    settings = FlashScanSettings(
        kind=FlashKind.GENUINE, seed=5, seconds=60.0, frames_per_second=20.0, width=480, height=640
    )
    settings = replace(settings, ambient=AmbientSettings(preset=AmbientPreset.DARK))
    phone = phone_in_hand(person, settings, find_faces=detector.detect)
    return phone, phone


def code():
    """Folders from which this project's code was loaded."""
    ours = ("cli", "client", "device_integrity", "facegate", "liveness", "server", "simulator", "vision")
    folders = [path for name in ours if name in sys.modules for path in sys.modules[name].__path__]
    return sorted({str(Path(folder).resolve().parent) for folder in folders})


class Events(ScanEvents):
    """The messages of the server to the device."""

    def __init__(self):
        self.plans, self.hints = [], []

    def attempt_started(self, start):
        self.plans.append(scan_pb2.Plan.Name(start.plan))

    def feedback(self, feedback):
        self.hints.append(feedback_pb2.FeedbackCode.Name(feedback.code))


async def check(mode, portrait, device, service, admin_port):
    """Upload, scan and result; the result's signature is verified."""
    seen_events = Events()
    keys = await fetch_key_set(f"http://127.0.0.1:{admin_port}/.well-known/jwks.json")
    async with open_channel(service) as service_channel, open_channel(device) as device_channel:
        orchestrator = Orchestrator(channel=service_channel, keys=keys)
        # Doubt about a person who is rendered would end a check of a device without a flash.
        wanted, policy = {
            "express": (scan_pb2.MODE_UNSPECIFIED, "evaluation"),
            "dynamic": (scan_pb2.MODE_DYNAMIC, "standard"),
        }[mode]
        upload = await orchestrator.upload_trusted_image(portrait, mode=wanted, policy=policy)
        source, screen = {"express": express, "dynamic": dynamic}[mode]()
        scanner = FaceScanner(
            channel=device_channel, ticket=ticket_of(upload), source=source, screen=screen, events=seen_events
        )
        outcome = await scanner.scan()
        answer = await orchestrator.finish_check(upload.check_id)
    result = answer.result
    return {
        "code": code(),
        "told": scan_pb2.ScanStatus.Name(outcome.status),
        "attempts": outcome.attempts,
        "plans": seen_events.plans,
        "hints": seen_events.hints,
        "status": result_pb2.CheckStatus.Name(result.status),
        "reasons": [result_pb2.FailureReason.Name(reason) for reason in result.reasons],
        "liveness": result_pb2.LivenessVerdict.Name(result.liveness.verdict),
        "mode": scan_pb2.Mode.Name(result.liveness.used_mode),
        "same_person": result.match.same_person,
        "evidence": len(answer.evidence_frame.image),
    }


if __name__ == "__main__":
    mode, portrait, device, service, admin_port = sys.argv[1:]
    print(json.dumps(asyncio.run(check(mode, Path(portrait).read_bytes(), device, service, admin_port))))

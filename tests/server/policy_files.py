"""Policy files for tests: one template, of which a test changes the relevant fields."""

import json
import re
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

POLICY = """
name = "{name}"
version = 1
description = "For tests."
mode = "EXPRESS"
{top}

[match]
max_fmr = 1e-2

[liveness]
live_threshold = 60.0
spoof_threshold = 30.0

# Tests send the same pictures over and over.
[device]
tolerate = {tolerate}
decide = {decide}
web_origins = {web_origins}

[attempts]
maximum = {maximum}
uncounted = {uncounted}
reconnects = {reconnects}

[deadlines]
scan_seconds = {scan_seconds}
result_seconds = {result_seconds}
attempt_seconds = {attempt_seconds}
idle_seconds = {idle_seconds}
resume_seconds = {resume_seconds}
ready_seconds = {ready_seconds}

[disclosure]
app = "{app}"

[retention]
evidence_seconds = {evidence_seconds}
audit_images = {audit_images}
portrait = "{portrait}"
biometrics = {biometrics}
{images}
"""


def write_policy(
    folder: Path,
    name: str,
    *,
    maximum: int = 3,
    uncounted: int = 10,
    reconnects: int = 5,
    scan_seconds: int = 180,
    result_seconds: int = 86_400,
    attempt_seconds: int = 20,
    idle_seconds: int = 60,
    resume_seconds: int = 0,
    ready_seconds: int = 60,
    evidence_seconds: int = 86_400,
    app: str = "pass_fail_and_hints",
    audit_images: int = 2,
    portrait: str = "hash",
    images_seconds: int | None = None,
    tolerate: Sequence[str] = ("memory.frames",),
    decide: Sequence[str] = (),
    web_origins: Sequence[str] = (),
    challenges: Sequence[str] = (),
    biometrics: bool = True,
    top: str = "",
    tables: str = "",
) -> None:
    """Write a policy file; ``challenges`` follow doubt, ``top`` and ``tables`` are TOML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(
        POLICY.format(
            name=name,
            maximum=maximum,
            uncounted=uncounted,
            reconnects=reconnects,
            scan_seconds=scan_seconds,
            result_seconds=result_seconds,
            attempt_seconds=attempt_seconds,
            idle_seconds=idle_seconds,
            resume_seconds=resume_seconds,
            ready_seconds=ready_seconds,
            evidence_seconds=evidence_seconds,
            app=app,
            audit_images=audit_images,
            portrait=portrait,
            images="" if images_seconds is None else f"images_seconds = {images_seconds}",
            tolerate=json.dumps(list(tolerate)),
            decide=json.dumps(list(decide)),
            web_origins=json.dumps(list(web_origins)),
            biometrics=json.dumps(biometrics),
            top=top,
        )
        + (f"[doubt]\norder = {json.dumps(list(challenges))}\n" if challenges else "")
        + tables
    )


write_patient_policy = partial(write_policy, scan_seconds=600, attempt_seconds=150, idle_seconds=120)
"""As ``write_policy``, for a server in another process: no test can stop its clock on a busy machine."""


def shipped_for_trials(folder: Path) -> None:
    """Write the shipped policies with a match that the pack ``embedded`` can support.

    The tests of checks are not about the match, and run with that pack.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for entry in (files("server.policies") / "shipped").iterdir():
        if entry.name.endswith(".toml") and entry.name != "high.toml":
            text = re.sub(r"max_fmr = \S+", "max_fmr = 1e-2", entry.read_text(encoding="utf-8"))
            (folder / entry.name).write_text(text, encoding="utf-8")

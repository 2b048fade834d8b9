"""The most that the Kotlin SDK takes from a server is what policies allow."""

import re
from pathlib import Path

import pytest
from annotated_types import Le
from pydantic import BaseModel

from liveness.dynamic import DynamicPolicy
from liveness.errors import LivenessPolicyError
from server.policies.schema import AttemptRules, DeadlineRules

_ROOT = Path(__file__).resolve().parents[2]
_CORE = _ROOT / "sdk/kotlin/core/src/main/kotlin/org/facegate/core/internal"


def _most(table: type[BaseModel], field: str) -> int:
    (bound,) = (each.le for each in table.model_fields[field].metadata if isinstance(each, Le))
    assert isinstance(bound, int)
    return bound


def _kotlin(file: str, name: str) -> int:
    text = (_CORE / file).read_text(encoding="utf-8")
    match = re.search(rf"const val {name} = ([\d_]+)", text)
    assert match is not None
    return int(match[1])


def test_attempts() -> None:
    # Doubt allows one more.
    most = _most(AttemptRules, "maximum") + 1 + _most(AttemptRules, "uncounted")
    most += _kotlin("Rules.kt", "MOST_RECONNECTS")
    assert _kotlin("Scan.kt", "MOST_ATTEMPTS") == most


def test_colours() -> None:
    # The first and the last are grey.
    most = DynamicPolicy().maximum_steps + 2
    with pytest.raises(LivenessPolicyError):
        DynamicPolicy(maximum_steps=most - 1)
    assert _kotlin("FlashShow.kt", "MOST_STEPS") == most


def test_times() -> None:
    assert _kotlin("Attempt.kt", "LONGEST_ATTEMPT_MS") == 1000 * _most(DeadlineRules, "attempt_seconds")
    assert _kotlin("Scan.kt", "LONGEST_SCAN_MS") == 1000 * _most(DeadlineRules, "scan_seconds")
    evidence = 1000 * _most(DeadlineRules, "attestation_grace_seconds")
    assert _kotlin("Scan.kt", "LONGEST_EVIDENCE_MS") == evidence

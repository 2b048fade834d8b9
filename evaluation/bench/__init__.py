"""Tools for measurements of cost: clocks around models, figures over several runs, the machine.

``cli.bench``, which may import every package, connects them to the measured code.
"""

from evaluation.bench.app_attest_cost import app_attest_case
from evaluation.bench.call_time import seconds_per_call
from evaluation.bench.errors import BenchError, NothingMeasured
from evaluation.bench.host import HostTime
from evaluation.bench.machine import Machine, describe_machine
from evaluation.bench.measurement import Measurement
from evaluation.bench.model_clock import ModelClock, ModelUse, timed_pack
from evaluation.bench.report import BenchReport
from evaluation.bench.verification_cost import (
    VerificationCase,
    android_chain_case,
    play_token_case,
    verification_measurements,
    verification_times,
)

__all__ = [
    "BenchError",
    "BenchReport",
    "HostTime",
    "Machine",
    "Measurement",
    "ModelClock",
    "ModelUse",
    "NothingMeasured",
    "VerificationCase",
    "android_chain_case",
    "app_attest_case",
    "describe_machine",
    "play_token_case",
    "seconds_per_call",
    "timed_pack",
    "verification_measurements",
    "verification_times",
]

"""Tools for measurements of cost: clocks around models, figures over several runs, the machine.

``cli.bench``, which may import every package, connects them to the measured code.
"""

from evaluation.bench.errors import BenchError, NothingMeasured
from evaluation.bench.host import HostTime
from evaluation.bench.machine import Machine, describe_machine
from evaluation.bench.measurement import Measurement
from evaluation.bench.model_clock import ModelClock, ModelUse, timed_pack
from evaluation.bench.report import BenchReport

__all__ = [
    "BenchError",
    "BenchReport",
    "HostTime",
    "Machine",
    "Measurement",
    "ModelClock",
    "ModelUse",
    "NothingMeasured",
    "describe_machine",
    "timed_pack",
]

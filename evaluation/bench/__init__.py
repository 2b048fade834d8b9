"""How measurements are made and told: clocks around models, figures over several runs, the machine.

What is measured is wired up by ``cli.bench``, which may import every room.
"""

from evaluation.bench.errors import BenchError, NothingMeasured
from evaluation.bench.machine import Machine, describe_machine
from evaluation.bench.measurement import Measurement
from evaluation.bench.model_clock import ModelClock, ModelUse, timed_pack
from evaluation.bench.report import BenchReport

__all__ = [
    "BenchError",
    "BenchReport",
    "Machine",
    "Measurement",
    "ModelClock",
    "ModelUse",
    "NothingMeasured",
    "describe_machine",
    "timed_pack",
]

"""What is measured: a suite is one function from a bench to measurements.

To add figures, such as portrait intake, write a module with such a function and list it here.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from cli.bench.isolation_cost import measure_isolation
from cli.bench.naive_load import measure_naive
from cli.bench.pack_cost import measure_pack
from cli.bench.portrait_cost import measure_portraits
from cli.bench.scan_load import measure_scans
from cli.bench.setting import Bench
from evaluation.bench import Measurement

__all__ = ["SUITES", "Suite"]

Suite: TypeAlias = Callable[[Bench], Awaitable[tuple[Measurement, ...]]]
"""Measures something, and says what it is doing through ``Bench.say``."""

SUITES: Final[tuple[Suite, ...]] = (
    measure_pack,
    measure_isolation,
    measure_portraits,
    measure_scans,
    measure_naive,
)
"""All suites, in the order in which they run and are shown."""

"""The suites: a suite is a function from a bench to measurements.

To add figures, such as portrait intake, write a module with such a function and list it here.
"""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from cli.bench.attestation_cost import measure_attestations
from cli.bench.flash_cost import measure_flash
from cli.bench.isolation_cost import measure_isolation
from cli.bench.naive_load import measure_naive
from cli.bench.pack_cost import measure_pack
from cli.bench.portrait_cost import measure_portraits
from cli.bench.record_cost import measure_records
from cli.bench.scan_load import measure_flash_scans, measure_scans
from cli.bench.selfie_cost import measure_selfies
from cli.bench.setting import Bench
from evaluation.bench import Measurement

__all__ = ["MACHINE_SUITES", "PACK_SUITES", "Suite"]

Suite: TypeAlias = Callable[[Bench], Awaitable[tuple[Measurement, ...]]]
"""Measures something, and reports its progress through ``Bench.say``."""

MACHINE_SUITES: Final[tuple[Suite, ...]] = (measure_isolation, measure_records, measure_attestations)
"""Suites that do not depend on the pack. They run once, before the others."""

PACK_SUITES: Final[tuple[Suite, ...]] = (
    measure_pack,
    measure_portraits,
    measure_selfies,
    measure_scans,
    measure_flash,
    measure_flash_scans,
    measure_naive,
)
"""Suites that run for each pack, in the order of execution and display."""

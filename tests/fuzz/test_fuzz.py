"""Some thousand mutated inputs in every run, many more in the slow one, and the regressions."""

from collections.abc import Callable

import pytest

from tests.fuzz.engine import MAX_BYTES, case_bytes
from tests.fuzz.regressions import REGRESSIONS
from tests.fuzz.runner import CaseFailed, run_case, run_cases, run_in_child
from tests.fuzz.targets import TARGETS, Target

_FAST_SEED, _SLOW_SEED = 20_261_120, 1
_FAST_CASES = 50


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.usefixtures("without_collection")
def test_some_cases(name: str) -> None:
    run_cases(TARGETS[name], seed=_FAST_SEED, first=0, count=_FAST_CASES)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", TARGETS)
def test_many_cases(name: str) -> None:
    run_in_child(TARGETS[name], seed=_SLOW_SEED, count=TARGETS[name].cases, seconds=1500)


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.usefixtures("without_collection")
def test_earlier_fuzz_findings_stay_fixed(name: str) -> None:
    target, data = REGRESSIONS[name]
    run_case(TARGETS[target], data)


@pytest.mark.parametrize("name", TARGETS)
def test_a_case_is_the_same_every_time_and_another_than_the_next(name: str) -> None:
    seeds = tuple(TARGETS[name].seeds())
    cases = [case_bytes(name, 5, number, seeds) for number in range(50)]
    assert cases == [case_bytes(name, 5, number, seeds) for number in range(50)]
    assert len(set(cases)) > 40
    assert all(len(case) <= MAX_BYTES for case in cases)


def _breaks_at_7(data: bytes) -> None:
    if data == case_bytes("broken", 3, 7, (b"seed",)):
        raise KeyError("this passes the door")


def _never_ends(data: bytes) -> None:
    while data != b"seed":
        pass


def _is_slow(data: bytes) -> None:
    if data != b"seed":
        sum(range(3_000_000))


def _takes_memory(data: bytes) -> None:
    if data != b"seed":
        assert bytearray(80_000_000).count(1) == 0


def test_a_failure_prints_the_command_that_repeats_it() -> None:
    broken = Target("broken", lambda: (b"seed",), _breaks_at_7, 10)
    again = r"case 7 of seed 3: KeyError.*\n.*--target broken --seed 3 --case 7"
    with pytest.raises(CaseFailed, match=again):
        run_cases(broken, seed=3, first=0, count=10)


@pytest.mark.parametrize(
    ("read", "seconds", "says"),
    [
        (_is_slow, 0.01, "processor time"),
        (_takes_memory, 5.0, "grew by"),
        (_never_ends, 0.05, "not over after"),
    ],
)
def test_a_case_beyond_its_time_or_memory_fails(
    read: Callable[[bytes], None], seconds: float, says: str
) -> None:
    greedy = Target("greedy", lambda: (b"seed",), read, 1, seconds=seconds, bytes=40_000_000)
    with pytest.raises(CaseFailed, match=says):
        run_cases(greedy, seed=1, first=0, count=20)

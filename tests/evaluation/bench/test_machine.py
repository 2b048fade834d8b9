import os

from evaluation.bench import describe_machine


def test_the_description_matches_this_machine() -> None:
    machine = describe_machine()
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.cpu
    assert machine.python.startswith("3.")
    assert machine.load is None or machine.load >= 0
    assert machine.to_json()["cores"] == machine.cores

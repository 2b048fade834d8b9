import time

from evaluation.pad.evidence import Stages


def burn(seconds: float) -> str:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
    return "done"


def test_a_shared_step_runs_once_and_its_cost_is_shared() -> None:
    stages = Stages()
    asked: list[int] = []

    def work() -> str:
        asked.append(1)
        return burn(0.02)

    stages.begin()
    assert stages.once("slow", work) == "done"
    first = stages.milliseconds()
    stages.begin()
    assert stages.milliseconds() == 0.0
    assert stages.once("slow", work) == "done"
    assert stages.milliseconds() == first >= 20.0
    stages.once("quick", lambda: 1)
    assert stages.milliseconds() > first
    assert len(asked) == 1

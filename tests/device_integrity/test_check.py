"""The tests of a verifier by name, and the order of assurance."""

from device_integrity.check import Assurance, Checklist, DeviceFinding, Manipulation

_LIST = Checklist("verifier", ("format", "one", "two"))


def test_outcomes() -> None:
    assert _LIST.passed("one", "GOOD", "good").name == "verifier.one"
    failed = _LIST.failed("one", "BAD", "x" * 600, Manipulation.EMULATOR, soft=True)
    assert (failed.outcome, failed.sign_of, failed.soft) == (DeviceFinding.FAIL, Manipulation.EMULATOR, True)
    assert len(failed.detail) == 500
    assert _LIST.not_evaluated("one", "NO", "no").outcome is DeviceFinding.NOT_EVALUATED
    good, bad = ("GOOD", "good"), ("BAD", "bad")
    assert _LIST.judged("two", holds=True, good=good, bad=bad).reason == "GOOD"
    assert _LIST.judged("two", holds=False, good=good, bad=bad).reason == "BAD"


def test_unreadable_evidence_still_lists_every_test() -> None:
    checks = _LIST.unreadable("why")
    assert [check.name for check in checks] == ["verifier.format", "verifier.one", "verifier.two"]
    assert [check.outcome.value for check in checks] == ["FAIL", "NOT_EVALUATED", "NOT_EVALUATED"]


def test_assurance_is_in_order() -> None:
    assert [one.level for one in Assurance] == [0, 1, 2, 3]
    assert max(Assurance, key=lambda one: one.level) is Assurance.HIGH

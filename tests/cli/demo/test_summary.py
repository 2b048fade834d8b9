import io

from facegate.v1 import result_pb2
from rich.console import Console

from cli.demo.summary import passed_attacks, summary_table, unexpected
from tests.cli.demo.builders import all_as_expected, judged, result


def printed(width: int) -> str:
    sink = io.StringIO()
    Console(file=sink, width=width).print(summary_table(all_as_expected()))
    return sink.getvalue()


def test_the_table_fits_a_narrow_terminal_uncut() -> None:
    text = printed(80)
    assert "…" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_the_summary_contains_every_outcome() -> None:
    text = " ".join(printed(160).split())
    assert text.count("✓") == 20
    assert "eye distance too small" in text
    assert "not same person" in text
    assert "the attack passed" in text
    assert "97 LIVE" in text
    assert text.index("EXPRESS") < text.index("DOUBT") < text.index("DYNAMIC") < text.index("ATTESTED")
    assert text.count("spoof or undecided") == 7
    assert text.count("! ") == 1
    assert "20 of 20 results have a signature that verifies." in text


def test_attacks_that_passed_are_named() -> None:
    passed = [record.scenario.key for record in passed_attacks(all_as_expected())]
    assert passed == ["screen-replay"]


def test_unexpected_are_those_that_fail_an_expectation() -> None:
    wrong = judged("same-person", result(result_pb2.FAILURE_REASON_SPOOF))
    assert unexpected((*all_as_expected(), wrong)) == (wrong,)

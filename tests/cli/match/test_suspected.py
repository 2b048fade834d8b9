import tomllib
from dataclasses import replace
from pathlib import Path

from evaluation.match.duplicates import SuspectedPair
from evaluation.match.photos import FacePhoto, read_corrections
from evaluation.match.reporting import SUSPECTED, suspected_files
from tests.evaluation.match.reports import made_report


def test_the_names_are_a_corrections_file(tmp_path: Path) -> None:
    report = made_report()
    pair = SuspectedPair(('a"x', "b"), (0, 1), (0, 1), cosine=0.91, expected=0.01)
    packs = (replace(report.packs[0], suspected=(pair,)), *report.packs[1:])
    photos = [FacePhoto(tmp_path / f"{name}.jpg", name, apart=False) for name in ('a"x', "b")]
    files = suspected_files(replace(report, packs=packs), photos)
    (tmp_path / SUSPECTED).write_bytes(files[SUSPECTED])
    assert read_corrections(tmp_path / SUSPECTED).unsure == {frozenset({'a"x', "b"})}
    (entry,) = tomllib.loads(files[SUSPECTED].decode())["unsure"]
    assert entry["reason"] == 'a"x.jpg and b.jpg: cosine 0.910 with open:DIR'
    assert str(tmp_path) not in files[SUSPECTED].decode()


def test_without_a_suspicion_there_is_no_file() -> None:
    assert suspected_files(made_report(), ()) == {}

"""Tables of the cuts: the scans that are decided against at any length, and from which frame on."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from statistics import median

from rich.table import Table

from attempt.judgement import StandingLine
from tests.server.scan.early_departure.cuts import Cut

__all__ = ["report_tables"]

_SHIPPED = StandingLine()
_LINES: dict[str, StandingLine] = {
    "every cut": StandingLine(faces=0, seconds=0.0, selected=0),
    "8 faces, 1 s (liveness)": StandingLine(faces=8, seconds=1.0, selected=0),
    "16 faces, 2 s, 4 selected": StandingLine(faces=16, seconds=2.0, selected=4),
    f"{_SHIPPED.faces} faces, {_SHIPPED.seconds:g} s, {_SHIPPED.selected} selected (shipped)": _SHIPPED,
}
_MAX_FMRS = (1e-2, 3e-3)

Adverse = Callable[[Cut], bool]


def report_tables(cuts: Sequence[Cut]) -> Iterator[Table]:
    """Returns two tables for each pack."""
    for pack, rows in groupby(sorted(cuts, key=lambda cut: cut.pack), key=lambda cut: cut.pack):
        scans = _scans(rows)
        yield _genuine_table(pack, [scan for scan in scans if scan[0].kind == "live"])
        yield _attack_table(pack, scans)


def _scans(cuts: Iterator[Cut]) -> list[list[Cut]]:
    scans: dict[tuple[str, str, int], list[Cut]] = defaultdict(list)
    for cut in cuts:
        scans[cut.kind, cut.clip, cut.scan].append(cut)
    return list(scans.values())


def _genuine_table(pack: str, scans: Sequence[Sequence[Cut]]) -> Table:
    clips = len({scan[0].clip for scan in scans})
    table = Table(
        "once there are", "SPOOF", "identity changed", *(f"another person, {fmr:g}" for fmr in _MAX_FMRS),
        title=f"{pack}: {len(scans)} genuine scans of {clips} clips, {sum(map(len, scans))} cuts: "
        "scans decided against",
    )  # fmt: skip
    verdicts: tuple[Adverse, ...] = (_spoof, _changed, *(_another(fmr) for fmr in _MAX_FMRS))
    whole = [[cut for cut in scan if cut.whole] for scan in scans]
    table.add_row("whole attempts", *(str(_against(whole, verdict)) for verdict in verdicts))
    for name, line in _LINES.items():
        standing = [[cut for cut in scan if cut.whole or _reached(cut, line)] for scan in scans]
        table.add_row(name, *(str(_against(standing, verdict)) for verdict in verdicts))
    return table


def _attack_table(pack: str, scans: Sequence[Sequence[Cut]]) -> Table:
    table = Table(
        "attack", "scans", "whole attempts against", "cut at any length",
        "first frames, median (least, most)", "seconds",
        title=f"{pack}: attacks, on the shipped line",
    )  # fmt: skip
    groups: dict[str, tuple[list[Sequence[Cut]], Adverse]] = {}
    for scan in scans:
        kind = scan[0].kind
        if kind != "live":
            groups.setdefault(kind, ([], _spoof))[0].append(scan)
        elif any(cut.others for cut in scan):
            groups.setdefault("another person", ([], _any_other))[0].append(scan)
    for kind, (members, adverse) in groups.items():
        whole = [[cut for cut in scan if cut.whole] for scan in members]
        firsts = [
            first
            for scan in members
            if (
                first := next(
                    (cut for cut in scan if (cut.whole or _reached(cut, _SHIPPED)) and adverse(cut)), None
                )
            )
        ]
        frames, seconds = [cut.frames for cut in firsts], [cut.seconds for cut in firsts]
        table.add_row(
            kind,
            str(len(members)),
            str(_against(whole, adverse)),
            str(len(firsts)),
            f"{median(frames):g} ({min(frames)}, {max(frames)})" if frames else "",
            f"{median(seconds):.1f} ({min(seconds):.1f}, {max(seconds):.1f})" if seconds else "",
        )
    return table


def _reached(cut: Cut, line: StandingLine) -> bool:
    return line.reached(faces=cut.faces, seconds=cut.seconds, selected=cut.examined)


def _against(scans: Sequence[Sequence[Cut]], adverse: Adverse) -> int:
    return sum(any(adverse(cut) for cut in scan) for scan in scans)


def _spoof(cut: Cut) -> bool:
    return cut.spoof


def _changed(cut: Cut) -> bool:
    return cut.constant is False


def _another(max_fmr: float) -> Adverse:
    return lambda cut: cut.bound is not None and cut.bound > max_fmr


def _any_other(cut: Cut) -> bool:
    """Returns whether the scan is distinguished from one of the other persons' portraits."""
    return any(bound > _MAX_FMRS[0] for bound in cut.others)

"""Compares the errors of liveness between groups of genuine people.

::

    python -m research.liveness_fairness <assets> --pack open:<assets>/models [--clips ROWS] [--photos FILE]

Judges every photo of ``data/faces_groups`` as a single image, with the shipped fusion and the thresholds of
policy ``standard``, and prints the shares without a face, not LIVE and SPOOF by group, sex, age and skin
tone. One frame of each live clip, whole and cut as tightly as the photos, shows the effect of the crop.
``--clips`` adds the scans of the live clips by skin tone, from the rows of
``research.liveness_fusion.measure``; each source is judged by a model fitted without it. ``--photos`` keeps
the judged photos: they are read if the file exists, and written otherwise.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.stats import mannwhitneyu, pearsonr, rankdata, spearmanr

from evaluation import Proportion
from evaluation.binomial import proportion
from evaluation.scans import clip_windows
from liveness import FusionModel, Verdict, load_fusion_model
from liveness.errors import FusionModelError
from research.liveness_fairness.compare import Comparison, Count, compare, holm
from research.liveness_fairness.measure import (
    Photo,
    clip_tone,
    cropped,
    judge_photo,
    judge_photos,
    read_manifest,
    read_photos,
    write_photos,
)
from research.liveness_fairness.skin import TONES, tone_class
from research.liveness_fusion.left_out import STANDARD, decide_left_out
from research.liveness_fusion.parts import Limits
from research.liveness_fusion.rows import RowKind, RowsUnusable, read_rows
from vision.errors import VisionError
from vision.packs import Pack, load_pack

__all__ = ["main"]

_Attribute = Callable[[Photo], str | None]
_Outcome = tuple[str, Callable[[Photo], bool | None]]
_SIDE = 224
_LISTED = 6
_CHANCE = 0.05


def _tone(photo: Photo) -> str | None:
    return None if photo.tone is None else tone_class(photo.tone)


_ATTRIBUTES: Mapping[str, _Attribute] = {
    "group": lambda photo: photo.labels["group"],
    "sex": lambda photo: photo.labels["sex"],
    "age": lambda photo: photo.labels["age"],
    "skin tone": _tone,
}
_OUTCOMES: Sequence[_Outcome] = (
    ("no face found", lambda photo: photo.faces == 0),
    ("not LIVE", lambda photo: photo.verdict != "LIVE" if photo.faces else None),
    ("SPOOF", lambda photo: photo.verdict == "SPOOF" if photo.faces else None),
)
"""Whether a photo counts, and ``None`` if it is not among the trials."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 0, or 2 with one line on stderr if it could not measure."""
    options = _parser().parse_args(arguments)
    cv2.setNumThreads(1)
    console = Console(width=140)
    try:
        pack, model = load_pack(options.pack), load_fusion_model()
        photos = _photos(options.assets / "data/faces_groups", options.photos, pack, model)
        _print_photos(console, photos)
        share = float(np.median([photo.share for photo in photos if photo.faces]))
        console.print(_crop_table(options.assets, pack, model, share=share))
        if options.clips is not None:
            console.print(_clip_table(options.assets, options.clips, pack, model))
    except (VisionError, FusionModelError, RowsUnusable, OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _photos(folder: Path, kept: Path | None, pack: Pack, model: FusionModel) -> list[Photo]:
    if kept is not None and kept.exists():
        return read_photos(kept)
    rows = track(read_manifest(folder), description="photos", console=Console(stderr=True))
    photos = list(judge_photos(folder, rows, pack, model))
    if kept is not None:
        write_photos(kept, photos)
    return photos


def _print_photos(console: Console, photos: Sequence[Photo]) -> None:
    found = [
        (attribute, outcome, compare(_counts(photos, level_of, counts)))
        for attribute, level_of in _ATTRIBUTES.items()
        for outcome, counts in _OUTCOMES
    ]
    overall = holm([comparison.overall for _, _, comparison in found])
    levels = [
        (place, level, value)
        for place, (_, _, comparison) in enumerate(found)
        for level, value in comparison.against_rest.items()
    ]
    adjusted = {
        (place, level): value
        for (place, level, _), value in zip(levels, holm([value for *_, value in levels]), strict=True)
    }
    several = sum(photo.faces > 1 for photo in photos)
    console.print(
        f"{len(photos)} photos, {several} with several faces; p values by Holm's method: {len(found)} "
        f"chi-square tests (permutations), {len(levels)} Fisher tests of one level against the others"
    )
    for attribute in _ATTRIBUTES:
        table = Table("", *(name for name, _ in _OUTCOMES), title=attribute, title_justify="left")
        places = [place for place, (of, _, _) in enumerate(found) if of == attribute]
        for level in _in_order(found[places[0]][2]):
            table.add_row(
                level,
                *(_cell(found[place][2].shares.get(level), adjusted.get((place, level))) for place in places),
            )
        table.add_section()
        table.add_row("all levels", *(f"p {overall[place]:.3f}" for place in places))
        console.print(table)
    console.print(_smallest(found, levels, adjusted))
    console.print(_scores(photos))
    console.print(_correlations(photos))


def _smallest(
    found: Sequence[tuple[str, str, Comparison]],
    levels: Sequence[tuple[int, str, float]],
    adjusted: Mapping[tuple[int, str], float],
) -> Table:
    """List the levels that differ most from the others, whether beyond chance or not."""
    table = Table(
        "level", "outcome", "share", "of the others", "p", "adjusted p", title="largest differences"
    )
    for place, level, value in sorted(levels, key=lambda each: each[2])[:_LISTED]:
        attribute, outcome, comparison = found[place]
        others = [share for name, share in comparison.shares.items() if name != level]
        rest = _bounded(sum(share.hits for share in others), sum(share.trials for share in others))
        share = _share(comparison.shares[level])
        p = f"{adjusted[place, level]:.3f}"
        table.add_row(f"{attribute}: {level}", outcome, share, rest, f"{value:.4f}", p)
    return table


def _counts(
    photos: Sequence[Photo], level_of: _Attribute, counts: Callable[[Photo], bool | None]
) -> dict[str, Count]:
    """Count by level; photos without a level are left out."""
    found: defaultdict[str, list[bool]] = defaultdict(list)
    for photo in photos:
        level, hit = level_of(photo), counts(photo)
        if level is not None and hit is not None:
            found[level].append(hit)
    return {level: (sum(hits), len(hits)) for level, hits in sorted(found.items())}


def _in_order(comparison: Comparison) -> list[str]:
    known = [tone for tone in TONES if tone in comparison.shares]
    return known or list(comparison.shares)


def _cell(share: Proportion | None, adjusted: float | None) -> str:
    if share is None:
        return "-"
    mark = "" if adjusted is None or adjusted >= _CHANCE else f", p {adjusted:.4f}"
    return f"{_share(share)}{mark}"


def _share(share: Proportion) -> str:
    return f"{share.hits} of {share.trials}, {share.rate:.1%} [{share.lower:.1%}, {share.upper:.1%}]"


def _scores(photos: Sequence[Photo]) -> Table:
    """Compare the scores of each level with the others; scores contain more information than verdicts."""
    found = [photo for photo in photos if photo.faces]
    networks = sorted({name for photo in found for name in photo.networks})
    scores = {
        "fusion": np.array([photo.score for photo in found]),
        **{name: np.array([photo.networks[name] for photo in found]) for name in networks},
    }
    rows = []
    for attribute, level_of in _ATTRIBUTES.items():
        levels = np.array([level_of(photo) or "" for photo in found])
        for level in sorted({*levels.tolist()} - {""}):
            own, others = levels == level, (levels != level) & (levels != "")
            for name, values in scores.items() if others.any() else ():
                p = float(mannwhitneyu(values[own], values[others]).pvalue)
                medians = [float(np.median(values[place])) for place in (own, others)]
                rows.append((f"{attribute}: {level}", name, int(own.sum()), medians, p))
    table = Table(
        "level",
        "score",
        "photos",
        "median",
        "of the others",
        "adjusted p",
        title=f"scores that differ beyond chance: Mann-Whitney, {len(rows)} tests, Holm",
    )
    for (level, name, count, medians, _), p in zip(rows, holm([row[-1] for row in rows]), strict=True):
        if p < _CHANCE:
            table.add_row(level, name, str(count), *(f"{value:.2f}" for value in medians), f"{p:.4f}")
    return table


def _correlations(photos: Sequence[Photo]) -> Table:
    """Show the correlation of tone and light with each network's score and with the fusion's."""
    table = Table(
        "Spearman correlation of",
        "photos",
        "with skin tone",
        "with mean luma",
        "with skin tone at equal luma",
    )
    measured = [photo for photo in photos if photo.tone is not None]
    names = sorted({name for photo in measured for name in photo.networks})
    tones = [photo.tone for photo in measured]
    lumas = [photo.luma for photo in measured]
    rows: list[tuple[str, list[float]]] = [
        ("fusion", [photo.score for photo in measured]),
        *((name, [photo.networks[name] for photo in measured]) for name in names),
        ("mean luma", lumas),
    ]
    for name, values in rows:
        cells = []
        for other in (tones, lumas):
            found = spearmanr(values, other)
            cells.append(f"{found.statistic:+.2f} (p {found.pvalue:.2g})")
        table.add_row(name, str(len(measured)), *cells, _partial(values, tones, lumas))
    return table


def _partial(values: Sequence[float], tones: Sequence[float | None], lumas: Sequence[float]) -> str:
    """Return the rank correlation of values and tones after a linear fit of both to the ranks of luma."""
    if values is lumas:
        return ""
    of, tone, luma = (rankdata(np.array(each, np.float64)) for each in (values, tones, lumas))
    left = [each - np.polyval(np.polyfit(luma, each, 1), luma) for each in (of, tone)]
    found = pearsonr(*left)
    return f"{found.statistic:+.2f} (p {found.pvalue:.2g})"


def _live_clips(assets: Path) -> Iterator[tuple[str, Path]]:
    for folder in (assets / "data/video", assets / "data/video_more"):
        if (folder / "manifest.csv").exists():
            for row in read_manifest(folder):
                if row["label"] == "live":
                    yield row["file"], folder / row["file"]


def _crop_table(assets: Path, pack: Pack, model: FusionModel, *, share: float) -> Table:
    """Judge one frame of each live clip as it is, and cut as tightly as the photos."""
    table = Table("one frame of each live clip", "LIVE", "not LIVE", "SPOOF", "mean of each network")
    made: dict[str, list[Photo]] = {"whole frame": [], f"cut: face {share:.2f} of the width": []}
    for name, path in _live_clips(assets):
        window = next(clip_windows(path), None)
        image = None if window is None else window[len(window) // 2][1]
        tight = None if image is None else cropped(image, pack, share=share, side=_SIDE)
        if image is not None and tight is not None:
            for photos, pixels in zip(made.values(), (image, tight), strict=True):
                photos.append(judge_photo(name, pixels, pack, model, labels={}))
    for title, photos in made.items():
        judged = [photo for photo in photos if photo.faces]
        networks = sorted({network for photo in judged for network in photo.networks})
        means = (f"{name} {np.mean([photo.networks[name] for photo in judged]):.2f}" for name in networks)
        table.add_row(
            title,
            *(_bounded(sum(test(photo.verdict) for photo in judged), len(judged)) for test in _VERDICTS),
            ", ".join(means),
        )
    return table


_VERDICTS: Sequence[Callable[[str], bool]] = (
    lambda verdict: verdict == "LIVE",
    lambda verdict: verdict != "LIVE",
    lambda verdict: verdict == "SPOOF",
)


def _bounded(hits: int, trials: int) -> str:
    share = proportion(hits, trials, confidence=0.95)
    return "-" if share is None else _share(share)


def _clip_table(assets: Path, rows: Path, pack: Pack, model: FusionModel) -> Table:
    """Count clips with a scan that is not LIVE, by skin tone; each source is left out of its model."""
    every = read_rows(rows)
    networks = frozenset(network.name for network in pack.pad_networks)
    verdicts: defaultdict[str, list[Verdict]] = defaultdict(list)
    for one in decide_left_out(every, model, Limits(), networks=[networks]):
        if one.row.kind is RowKind.CLIP and one.row.live:
            verdicts[one.row.name.rpartition("#")[0]].append(one.results[STANDARD].verdict)
    tones: defaultdict[str, list[str]] = defaultdict(list)
    for name, path in track(list(_live_clips(assets)), description="clips", console=Console(stderr=True)):
        angle = clip_tone(path, pack)
        tones["not measured" if angle is None else tone_class(angle)].append(name)
    table = Table("live clips by skin tone", "scans", "clips with a scan not LIVE", "clips with a SPOOF", "p")
    counts = {
        tone: (sum(any(v is not Verdict.LIVE for v in verdicts[name]) for name in names), len(names))
        for tone, names in tones.items()
    }
    compared = compare(counts)
    p = holm(list(compared.against_rest.values()))
    adjusted = dict(zip(compared.against_rest, p, strict=True))
    for tone in (*TONES, "not measured"):
        if tone in tones:
            spoofs = sum(Verdict.SPOOF in verdicts[name] for name in tones[tone])
            table.add_row(
                tone,
                str(sum(len(verdicts[name]) for name in tones[tone])),
                _bounded(*counts[tone]),
                _bounded(spoofs, len(tones[tone])),
                f"{adjusted[tone]:.2f}",
            )
    table.add_section()
    table.add_row(
        "all",
        "",
        _bounded(*(sum(part) for part in zip(*counts.values(), strict=True))),
        "",
        f"{compared.overall:.2f}",
    )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.liveness_fairness",
        description="Compare the errors of liveness between groups of genuine people.",
    )
    parser.add_argument("assets", type=Path, help="folder with data/faces_groups, data/video and models")
    parser.add_argument("--pack", required=True, help='the models, as "open:<folder>"')
    parser.add_argument("--clips", type=Path, help="rows of research.liveness_fusion.measure, for live clips")
    parser.add_argument("--photos", type=Path, help="file of judged photos: read if it exists, else written")
    return parser


if __name__ == "__main__":
    sys.exit(main())

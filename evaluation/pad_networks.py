"""What single PAD networks, and means of several, tell on labelled pictures.

::

    python -m evaluation.pad_networks --pack insightface:DIR --assets DIR [--weights FILE.pth ...]

Every network of the pack sees every picture with one face; ``--weights`` adds Silent-Face's own files,
converted by ``evaluation.minifasnet_onnx``, with the catalogue's preprocessing for their kind. The area
under the curve (AUC) is the chance that a bona fide picture scores above an attack. BPCER20 is BPCER at the
threshold where APCER is at most 5 % (ISO/IEC 30107-3). Pictures of one source share persons and cameras,
so no bound is given: this compares networks and is no error rate.
"""

import argparse
import csv
import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from evaluation.minifasnet_onnx import StateFileError, minifasnet_to_onnx, read_state
from vision.errors import ModelFailed, VisionError
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import Pack, load_pack
from vision.packs.catalogue import load_catalogue
from vision.packs.interfaces import PadNetwork
from vision.packs.pad_onnx import OnnxPadNetwork

__all__ = ["area_under_curve", "bpcer_at", "main"]

_APCER = 0.05
_KINDS = {"MiniFASNetV2": "MiniFASNetV2.onnx", "MiniFASNetV1SE": "MiniFASNetV1SE.onnx"}


def area_under_curve(live: NDArray[np.float64], attacks: NDArray[np.float64]) -> float:
    """The share of pairs, 0..1, in which the live picture scores higher; equal scores count half."""
    above = (live[:, None] > attacks[None, :]).mean()
    return float(above + (live[:, None] == attacks[None, :]).mean() / 2)


def bpcer_at(apcer: float, *, live: NDArray[np.float64], attacks: NDArray[np.float64]) -> float:
    """BPCER, 0..1, at the lowest threshold that lets at most the share ``apcer`` of attacks through."""
    let_through = int(apcer * attacks.size)
    threshold = np.sort(attacks)[::-1][let_through]
    return float((live <= threshold).mean())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when it could not measure."""
    options = _parser().parse_args(arguments)
    try:
        pack = load_pack(options.pack)
        networks = [*pack.pad_networks, *(_converted(path) for path in options.weights)]
        rows = _rows(options.assets / "data" / "pad" / "manifest.csv")
        scores = _scores(rows, options.assets / "data" / "pad", pack, networks)
    except (StateFileError, VisionError, OSError, KeyError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    console = Console(width=130)
    largest = max({row["source_repo"] for row, _ in scores}, key=[r["source_repo"] for r, _ in scores].count)
    for name, chosen in (
        ("the largest source", [each for each in scores if each[0]["source_repo"] == largest]),
        ("the other sources", [each for each in scores if each[0]["source_repo"] != largest]),
    ):
        _print(console, name, chosen, [network.name for network in networks])
    return 0


def _converted(path: Path) -> OnnxPadNetwork:
    kind = next((kind for kind in _KINDS if kind in path.name), None)
    entry = load_catalogue().by_name(_KINDS[kind]) if kind else None
    if entry is None or entry.pad is None:
        raise ValueError(f"{path.name} is named after none of {', '.join(_KINDS)}")
    model = minifasnet_to_onnx(read_state(path.read_bytes()))
    session = create_session(model, RuntimeOptions(providers="cpu"), name=path.name)
    return OnnxPadNetwork(name=entry.name, session=session, preprocessing=entry.pad)


def _rows(manifest: Path) -> list[dict[str, str]]:
    with manifest.open(encoding="utf-8", newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["usable"] == "1"]


def _scores(
    rows: Sequence[dict[str, str]], folder: Path, pack: Pack, networks: Sequence[PadNetwork]
) -> list[tuple[dict[str, str], list[float]]]:
    scores = []
    for row in track(rows, description="pictures", console=Console(stderr=True)):
        read = cv2.imread(str(folder / row["file"]), cv2.IMREAD_COLOR)
        if read is None:
            continue
        image = read.astype(np.uint8, copy=False)
        try:
            faces = pack.detector.detect(image)
            if faces:
                scores.append((row, [network.real_probability(image, faces[0]) for network in networks]))
        except ModelFailed:
            continue
    return scores


def _print(
    console: Console, name: str, scores: Sequence[tuple[dict[str, str], list[float]]], networks: Sequence[str]
) -> None:
    stack = np.array([values for _, values in scores])
    live = np.array([row["label"] == "live" for row, _ in scores])
    table = Table(
        "networks (mean)",
        "AUC",
        "BPCER20",
        "live median",
        "attack median",
        title=f"{name}: {int(live.sum())} bona fide, {int((~live).sum())} attack pictures",
    )
    for count in range(1, len(networks) + 1):
        for chosen in itertools.combinations(range(len(networks)), count):
            mean = stack[:, list(chosen)].mean(axis=1)
            table.add_row(
                " + ".join(networks[at] for at in chosen),
                f"{area_under_curve(mean[live], mean[~live]):.3f}",
                f"{bpcer_at(_APCER, live=mean[live], attacks=mean[~live]):.1%}",
                f"{np.median(mean[live]):.2f}",
                f"{np.median(mean[~live]):.2f}",
            )
    console.print(table)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m evaluation.pad_networks", description="Compare PAD networks on labelled pictures."
    )
    parser.add_argument(
        "--pack", required=True, help='its detector and PAD networks, as "insightface:<folder>"'
    )
    parser.add_argument("--assets", required=True, type=Path, help="folder with data/pad/")
    parser.add_argument(
        "--weights", action="append", default=[], type=Path, help="a .pth file of Silent-Face"
    )
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

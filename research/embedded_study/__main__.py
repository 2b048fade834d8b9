"""The study's command; what it prints is in ``docs/accuracy.md``.

One line tells what ONNX Runtime saves. *Faces*: photos without a face, for each way to look for it, and its
cost over that of the first. *Templates*: FNMR at an FMR of every variant, on photos as they are and with one
photo of each pair worn (``wear``). *Frames*: a clip's first frame against 1, 3 or 8 worn later ones, fused.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import dlib
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from evaluation.match.errors import PhotoListError
from matcher.similarity import threshold_cosine
from matcher.template import TemplateSample, fuse_templates
from research.embedded_study.embedding import DlibModels, embed_views, one_face, studied_faces
from research.embedded_study.looking import AS_BEFORE, THE_PACK, beside_the_face, ways_to_look
from research.embedded_study.photo_sets import PhotoSet, clip_frames, labelled_photos, selfies
from research.embedded_study.scores import Pairs, Rate, difference, draw_persons, fnmr_at
from research.embedded_study.variants import PLAIN, SHIPPED, VIEWS, Templates, mean_of, scores_of
from research.embedded_study.wear import worn
from vision.errors import VisionError
from vision.face import BgrImage
from vision.onnx_sessions import RuntimeOptions, create_session
from vision.packs import load_pack
from vision.packs.dlib_networks import resnet_to_onnx

_EMBEDDER = "dlib_face_recognition_resnet_model_v1.dat"
_RATES = (0.01, 0.03)
_FRAMES = 10
_FUSED = (1, 3, 8)
_TIMED = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns 0, or 2 with one line on stderr when it could not measure."""
    options = _parser().parse_args(arguments)
    console = Console(width=150)
    try:
        models = _models()
        other = load_pack(f"insightface:{options.assets / 'models'}")
        sets = [
            labelled_photos(options.assets / "data" / "faces", apart="orl"),
            selfies(options.assets / "data" / "pad", pack=other),
        ]
        _print_cost(models, console)
        for photos in sets:
            _faces_table(photos, models, console)
        for photos in sets:
            for is_worn in (False, True):
                _templates_table(photos, models, console, is_worn=is_worn, samples=options.samples)
        clips = options.assets / "data" / "video" / "live"
        _frames_table(clips, models, console, samples=options.samples)
        _print_impostor_clips(clips, console)
    except (PhotoListError, VisionError, OSError, ValueError) as error:
        sys.stderr.write(f"could not measure: {error}\n")
        return 2
    return 0


def _models() -> DlibModels:
    """What is measured; the pack was loaded before, so their files are the catalogued ones."""
    pack = load_pack("embedded")
    spec = find_spec("face_recognition_models")
    folder = Path(next(iter(spec.submodule_search_locations or ()))) / "models" if spec else Path()
    network = (folder / _EMBEDDER).read_bytes()
    return DlibModels(
        detector=pack.detector,
        network=create_session(resnet_to_onnx(network), RuntimeOptions(providers="cpu"), name="dlib_resnet"),
        original=dlib.face_recognition_model_v1(str(folder / _EMBEDDER)),
        predictor_68=dlib.shape_predictor(str(folder / "shape_predictor_68_face_landmarks.dat")),
        predictor_5=dlib.shape_predictor(str(folder / "shape_predictor_5_face_landmarks.dat")),
    )


def _print_cost(models: DlibModels, console: Console) -> None:
    """How long dlib takes for one chip, over ONNX Runtime; in turns, so that both meet the same machine."""
    chip = np.random.default_rng(1).integers(0, 256, size=(150, 150, 3), dtype=np.uint8)
    batch = chip.transpose(2, 0, 1)[None].astype(np.float32)
    seconds = []
    for _ in range(_TIMED):
        start = time.process_time()
        models.original.compute_face_descriptor(chip)
        between = time.process_time()
        models.network.run(None, {"chips": batch})
        seconds.append((between - start, time.process_time() - between))
    ours, theirs = np.median(seconds, axis=0)[::-1]
    console.print(f"One embedding: dlib's own code takes {theirs / ours:.1f} times as long as ONNX Runtime.")


def _faces_table(photos: PhotoSet, models: DlibModels, console: Console) -> None:
    faces = [one_face(image, models.detector) for image in photos.images]
    strips = [
        strip
        for image, face in zip(photos.images, faces, strict=True)
        if face is not None and (strip := beside_the_face(image, face.box)) is not None
    ]
    dim = [
        worn(image, face_width=face.box.width, seed=at)
        for at, (image, face) in enumerate(zip(photos.images, faces, strict=True))
        if face is not None
    ]
    table = Table(
        "look", f"no face, of {len(photos.images)}", f"of {len(dim)} worn", f"face in {len(strips)} strips",
        "cost where none is", title=f"Faces: {photos.name}",
    )  # fmt: skip
    ways = dict(ways_to_look(models.detector))
    first = ways.pop(AS_BEFORE)
    missed = [[image for image in images if not first(image)] for images in (photos.images, dim)]
    start = time.perf_counter()
    empty = [strip for strip in strips if not first(strip)]
    reference = time.perf_counter() - start
    alarms = len(strips) - len(empty)
    table.add_row(AS_BEFORE, *(str(len(images)) for images in missed), str(alarms), "1.0")
    for name, look in ways.items():
        left = [sum(not look(image) for image in images) for images in missed]
        start = time.perf_counter()
        more = sum(look(strip) for strip in empty)
        seconds = (time.perf_counter() - start) / max(1, len(empty)) * max(1, len(strips))
        cost = f"{seconds / reference + (name != THE_PACK):.1f}" if empty else "-"
        table.add_row(name, *map(str, left), str(alarms + more), cost)
    console.print(table)


def _templates_table(
    photos: PhotoSet, models: DlibModels, console: Console, *, is_worn: bool, samples: int
) -> None:
    templates = _embed(photos, models, is_worn=is_worn)
    pairs = Pairs.among(templates.identities, unsure=photos.unsure)
    pairs = pairs.both_ways() if is_worn else pairs
    draws = draw_persons(pairs.persons, samples=samples, seed=3)
    table = Table(
        "variant", "cost", *(f"FNMR at FMR {rate:.0%} [95 %]" for rate in _RATES), "change at 1 %",
        "won, lost", "change at 3 %",
        title=f"Templates: {photos.name}{', one of each pair worn' * is_worn}; {pairs.persons} persons, "
        f"{int(pairs.genuine.sum())} genuine, {int((~pairs.genuine).sum())} impostor comparisons",
    )  # fmt: skip
    costs = {name: f"{len(views)}" for name, views in mean_of().items()}
    reference: list[Rate] = []
    for name, score in scores_of(templates, pairs).items():
        scores = score()
        rates = [fnmr_at(rate, scores=scores, pairs=pairs, draws=draws) for rate in _RATES]
        reference = reference or rates
        changes = [difference(one, other) for one, other in zip(rates, reference, strict=True)]
        table.add_row(
            name,
            costs.get(name, "1"),
            *(f"{rate.fnmr:.1%} {_span(rate.interval)}" for rate in rates),
            f"{changes[0].change:+.1%} {_span(changes[0].interval)}",
            f"{changes[0].gained}, {changes[0].lost}",
            f"{changes[1].change:+.1%} {_span(changes[1].interval)}",
        )
    console.print(table)


def _embed(photos: PhotoSet, models: DlibModels, *, is_worn: bool) -> Templates:
    found = studied_faces(photos.images, models)
    kept = [(at, face) for at, face in enumerate(found) if face is not None]
    if not is_worn:
        vectors = embed_views([face for _, face in kept], VIEWS, models.network, name=photos.name)
        identities = photos.identities[[at for at, _ in kept]]
        return Templates(portraits=vectors, probes=vectors, identities=identities, worn=False)
    images = [worn(photos.images[at], face_width=face.box.width, seed=at) for at, face in kept]
    again = studied_faces(images, models)
    both = [(at, face, probe) for (at, face), probe in zip(kept, again, strict=True) if probe is not None]
    return Templates(
        portraits=embed_views([face for _, face, _ in both], VIEWS, models.network, name=photos.name),
        probes=embed_views([probe for _, _, probe in both], VIEWS, models.network, name="worn"),
        identities=photos.identities[[at for at, _, _ in both]],
        worn=True,
    )


def _frames_table(folder: Path, models: DlibModels, console: Console, *, samples: int) -> None:
    """The first frame as portrait against fused worn frames; each fusion takes the same frames, in turns."""
    views = {name: VIEWS[name] for name in (PLAIN, *mean_of()[SHIPPED])}
    portraits: dict[str, list[NDArray[np.float64]]] = {PLAIN: [], SHIPPED: []}
    scans: dict[str, list[NDArray[np.float64]]] = {PLAIN: [], SHIPPED: []}
    for name, images in clip_frames(folder, frames=_FRAMES):
        worn_images = [_worn_frame(image, models, seed) for seed, image in enumerate(images[1:])]
        faces = studied_faces([images[0], *(image for image in worn_images if image is not None)], models)
        frames = [face for face in faces[1:] if face is not None]
        if faces[0] is None or len(frames) < max(_FUSED):
            continue
        vectors = embed_views([faces[0], *frames], views, models.network, name=name)
        for kind, members in ((PLAIN, (PLAIN,)), (SHIPPED, mean_of()[SHIPPED])):
            total = np.sum([vectors[member] for member in members], axis=0)
            unit = total / np.linalg.norm(total, axis=1, keepdims=True)
            portraits[kind].append(unit[0])
            scans[kind].append(unit[1 : max(_FUSED) + 1])
    clips = len(portraits[PLAIN])
    draws = draw_persons(clips, samples=samples, seed=3)
    table = Table(
        "frames fused", "template", "FNMR at FMR 1 % [95 %]", "FNMR at FMR 3 % [95 %]",
        title=f"Frames: {clips} clips, worn frames against the first one",
    )  # fmt: skip
    for count, kind in itertools.product(_FUSED, (PLAIN, SHIPPED)):
        scores, pairs = _fused_scores(portraits[kind], scans[kind], count)
        rates = [fnmr_at(rate, scores=scores, pairs=pairs, draws=draws) for rate in _RATES]
        table.add_row(str(count), kind, *(f"{rate.fnmr:.1%} {_span(rate.interval)}" for rate in rates))
    console.print(table)


def _print_impostor_clips(folder: Path, console: Console) -> None:
    """How often the pack takes one clip's person for another's at its own threshold for FMR 1 %."""
    pack = load_pack("embedded")
    threshold = threshold_cosine(_RATES[0], calibration=pack.match_calibration)
    portraits, scans = [], []
    for _, images in clip_frames(folder, frames=_FRAMES):
        faces = [one_face(image, pack.detector) for image in images]
        templates = [
            pack.embedder.embed(image, face)
            for image, face in zip(images, faces, strict=True)
            if face is not None
        ]
        portraits.append(templates[0])
        scans.append([TemplateSample(embedding=template, quality=1.0) for template in templates[2:]])
    single, fused = [], []
    for one, other in itertools.permutations(range(len(portraits)), 2):
        single += [float(portraits[one] @ sample.embedding) for sample in scans[other]]
        fused.append(float(portraits[one] @ fuse_templates(scans[other])))
    console.print(
        f"{len(portraits)} clips as they are, at the pack's threshold for FMR 1 %: "
        f"{np.mean(np.array(single) >= threshold):.1%} of {len(single)} impostor comparisons of single "
        f"frames match, and {int(np.sum(np.array(fused) >= threshold))} of {len(fused)} of fused frames."
    )


def _worn_frame(image: BgrImage, models: DlibModels, seed: int) -> BgrImage | None:
    face = one_face(image, models.detector)
    return None if face is None else worn(image, face_width=face.box.width, seed=seed)


def _fused_scores(
    portraits: Sequence[NDArray[np.float64]], scans: Sequence[NDArray[np.float64]], count: int
) -> tuple[NDArray[np.float64], Pairs]:
    """Every portrait against every clip's fused frames; ``max(_FUSED)`` fusions a clip, or one of all."""
    total = max(_FUSED)
    starts = range(1 if count == total else total)
    rows, columns, scores = [], [], []
    for (one, portrait), (other, frames) in itertools.product(enumerate(portraits), enumerate(scans)):
        for start in starts:
            chosen = [frames[(start + step * (total // count)) % total] for step in range(count)]
            fused = fuse_templates(
                [TemplateSample(embedding=frame.astype(np.float32), quality=1.0) for frame in chosen]
            )
            rows.append(one)
            columns.append(other)
            scores.append(float(portrait @ fused))
    first, second = np.array(rows), np.array(columns)
    return np.array(scores), Pairs(first, second, first, second, len(portraits))


def _span(interval: tuple[float, float]) -> str:
    return f"[{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m research.embedded_study",
        description="Measure what can be got from dlib's embedder, one change at a time.",
    )
    parser.add_argument("--assets", required=True, type=Path, help="folder with models/ and data/")
    parser.add_argument("--samples", type=int, default=1000, help="bootstrap samples")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())

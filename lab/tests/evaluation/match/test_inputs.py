"""The inputs of an evaluation: photos, pairs, corrections, portraits, and their templates."""

import csv
import io
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.evaluation.match.comparisons import MOST_TEMPLATES, Comparisons, compare_all, compare_pairs
from lab.evaluation.match.duplicates import suspected_duplicates
from lab.evaluation.match.pair_list import PairList, read_pairs
from lab.evaluation.match.photos import (
    Corrections,
    FacePhoto,
    NothingToMeasure,
    PhotoList,
    PhotoListError,
    path_inside,
    read_corrections,
    read_photo_list,
    read_rows,
)
from lab.evaluation.match.templates import (
    PORTRAIT_SIZE,
    AcquisitionFault,
    Degradation,
    LabelledTemplate,
    degraded_portrait,
    embed_photos,
    portrait_of,
)
from lab.tests.evaluation.match.reports import crowd
from lab.tests.evaluation.samples import FACE, IMAGE, burning_pack
from matcher.persons import PHOTO_SUBJECT
from vision.errors import ModelFailed
from vision.face import BgrImage, Box, DetectedFace, Embedding, Landmarks
from vision.image import encode_jpeg
from vision.packs import Pack


def at(degrees: float, identity: str, *, apart: bool = False) -> LabelledTemplate:
    angle = math.radians(degrees)
    return LabelledTemplate(np.array([math.cos(angle), math.sin(angle)], dtype=np.float32), identity, apart)


TEMPLATES = [at(0, "a"), at(60, "a"), at(90, "b"), at(10, "g1", apart=True), at(20, "g2", apart=True)]


def test_every_pair_of_a_group_is_compared_once() -> None:
    comparisons = compare_all(TEMPLATES)
    assert comparisons.genuine == pytest.approx([0.5], abs=1e-6)
    assert comparisons.genuine_apart.size == 0
    assert sorted(comparisons.impostors.scores) == pytest.approx(
        sorted([0.0, math.cos(math.radians(30)), math.cos(math.radians(10))]), abs=1e-6
    )
    assert (comparisons.identities, comparisons.main_identities) == (4, 2)


def test_pairs_that_may_be_one_person_are_left_out() -> None:
    comparisons = compare_all(TEMPLATES, unsure=[frozenset({"a", "b"}), frozenset({"a", "unknown"})])
    assert comparisons.impostors.scores == pytest.approx([math.cos(math.radians(10))], abs=1e-6)


@pytest.mark.parametrize("templates", [[], [at(0, "a")], [at(0, "a"), at(5, "g", apart=True)]])
def test_without_two_persons_of_a_group_there_is_nothing_to_measure(
    templates: list[LabelledTemplate],
) -> None:
    with pytest.raises(NothingToMeasure):
        compare_all(templates)


def test_too_many_templates_are_refused_before_they_are_compared() -> None:
    with pytest.raises(NothingToMeasure, match="fewer photos of each person"):
        compare_all([TEMPLATES[0]] * (MOST_TEMPLATES + 1))


def numbered(*templates: LabelledTemplate) -> list[LabelledTemplate]:
    return [
        LabelledTemplate(each.embedding, each.identity, each.apart, photo)
        for photo, each in enumerate(templates)
    ]


def test_only_the_pairs_of_a_list_are_compared() -> None:
    templates = numbered(at(0, "a"), at(60, "a"), at(90, "b"), at(30, "c"))
    found = compare_pairs(templates, [(0, 1), (2, 3)])
    assert found.genuine == pytest.approx([0.5], abs=1e-6)
    assert found.impostors.scores == pytest.approx([0.5], abs=1e-6)


def test_pairs_without_a_template_are_left_out() -> None:
    templates = [
        each for each in numbered(at(0, "a"), at(0, "a"), at(90, "b"), at(30, "c")) if each.photo != 1
    ]
    found = compare_pairs(templates, [(0, 1), (2, 3), (0, 3)])
    assert found.genuine.size == 0
    assert found.genuine_scores is None
    assert found.impostors.scores.size == 2
    with pytest.raises(NothingToMeasure, match="same = 0"):
        compare_pairs(templates, [(0, 1)])


def test_a_subset_numbers_only_its_own_persons() -> None:
    templates = numbered(at(0, "a"), at(60, "a"), at(90, "b"), at(30, "c"), at(40, "c"))
    whole = compare_all(templates)
    part = whole.among(np.array([False, False, True, True, True]))
    assert (part.identities, part.impostors.scores.size) == (2, 2)
    assert part.genuine == pytest.approx([math.cos(math.radians(10))], abs=1e-6)
    assert isinstance(part, Comparisons)
    assert part.genuine_scores is not None
    assert part.genuine_scores.persons == 2
    assert part.photo.tolist() == [2, 3, 4]


def test_all_kinds_are_read(tmp_path: Path) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(
        '[[same_person]]\nidentities = ["x:1", "y:1"]\nreason = "r"\n'
        '[[wrong_label]]\nfile = "c.jpg"\nreason = "r"\n'
        '[[unsure]]\nidentities = ["y:1", "w:1"]\nreason = "r"\n',
        encoding="utf-8",
    )
    assert read_corrections(file) == Corrections(
        same_person={"x:1": "y:1"},
        unsure=frozenset({frozenset({"y:1", "w:1"})}),
        wrong_label=frozenset({"c.jpg"}),
    )


@pytest.mark.parametrize(
    "pairs",
    [["ab", "bc"], ["ab", "ac"], ["ab", "ba", "cb"]],
    ids=" ".join,
)
def test_three_labels_of_one_person_become_one(tmp_path: Path, pairs: list[str]) -> None:
    file = tmp_path / "corrections.toml"
    entries = [f'[[same_person]]\nidentities = ["{pair[0]}", "{pair[1]}"]\n' for pair in pairs]
    file.write_text("".join([*entries, '[[unsure]]\nidentities = ["a", "d"]\n']), encoding="utf-8")
    corrections = read_corrections(file)
    labels = {corrections.same_person.get(label, label) for label in "abc"}
    assert len(labels) == 1
    # An unsure label makes its person unsure.
    assert corrections.unsure == {frozenset({*labels, "d"})}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(PhotoListError, match=r"none\.toml cannot be read: No such file"):
        read_corrections(tmp_path / "none.toml")


@pytest.mark.parametrize(
    "text",
    [
        "not toml",
        '[[same_person]]\nidentities = ["x"]\n',
        '[[unsure]]\nidentities = ["x", "x"]\n',
        "[[unsure]]\nidentities = [1, 2]\n",
        '[[wrong_label]]\nreason = "r"\n',
        '[[same_person]]\nidentities = ["x", "y"]\n[[unsure]]\nidentities = ["y", "x"]\n',
    ],
)
def test_a_broken_corrections_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "corrections.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PhotoListError):
        read_corrections(file)


def test_the_project_s_own_corrections_can_be_read_and_name_files_of_the_data_set(assets: Path) -> None:
    corrections = read_corrections(
        Path(__file__).resolve().parents[3] / "evaluation" / "label_corrections.toml"
    )
    manifest = (assets / "data" / "faces" / "manifest.csv").read_text(encoding="utf-8")
    labels = set(corrections.same_person) | set(corrections.same_person.values())
    for name in labels | set().union(*corrections.unsure) | corrections.wrong_label:
        assert name in manifest


@pytest.fixture(scope="module")
def twice() -> Comparisons:
    """Sixty persons with one photo each, of whom the first is there again under another name."""
    run, _ = crowd(persons=60, photos=1, seed=11)
    first = run.templates[0].embedding
    again = first + 0.05 * np.random.default_rng(1).normal(size=first.size)
    embedding = (again / np.linalg.norm(again)).astype(np.float32)
    return compare_all([*run.templates, LabelledTemplate(embedding, "again", apart=False, photo=60)])


def test_one_person_under_two_names_is_suspected(twice: Comparisons) -> None:
    (pair,) = suspected_duplicates(twice)
    assert pair.identities == ("again", "p000")
    assert set(pair.photos) == {0, 60}
    assert pair.cosine > 0.9
    assert pair.expected is not None
    assert pair.expected < 0.5


def test_without_the_pair_the_highest_score_is_gone(twice: Comparisons) -> None:
    (pair,) = suspected_duplicates(twice)
    others = twice.without([pair.persons])
    assert others.impostors.scores.max() < pair.cosine
    assert others.impostors.scores.size == twice.impostors.scores.size - 1
    assert suspected_duplicates(others) == ()


def test_a_score_like_that_of_one_person_is_suspected() -> None:
    run, _ = crowd(persons=60, photos=2, seed=12)
    renamed = [replace(each, identity="other") if each.photo == 1 else each for each in run.templates]
    (pair,) = suspected_duplicates(compare_all(renamed))
    assert pair.identities == ("other", "p000")


def test_among_few_persons_only_copies_of_a_photo_are_suspected() -> None:
    run, _ = crowd(persons=8, photos=1, seed=11)
    assert suspected_duplicates(compare_all(run.templates)) == ()
    copy = replace(run.templates[0], identity="again", photo=8)
    (pair,) = suspected_duplicates(compare_all([*run.templates, copy]))
    assert pair.identities == ("again", "p000")
    assert pair.expected is None


def pairs_file(folder: Path, *rows: str, manifest: tuple[str, ...] = ()) -> Path:
    file = folder / "pairs.csv"
    file.write_text("file_a,file_b,same\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    if manifest:
        (folder / "manifest.csv").write_text(
            "file,identity\n" + "".join(f"{row}\n" for row in manifest), encoding="utf-8"
        )
    return file


def read(file: Path, corrections: Corrections | None = None, apart: tuple[str, ...] = ()) -> PairList:
    return read_pairs(file, corrections=corrections or Corrections(), apart=apart)


def test_identities_come_from_the_manifest(tmp_path: Path) -> None:
    file = pairs_file(
        tmp_path, "a.jpg,b.jpg,1", "a.jpg,c.jpg,0", manifest=("a.jpg,x", "b.jpg,x", "c.jpg,y", "d.jpg,z")
    )
    found = read(file)
    assert [photo.identity for photo in found.photos] == ["x", "x", "y"]
    assert found.pairs == ((0, 1), (0, 2))
    assert found.named
    assert found.columns == ("file", "identity")


def test_without_a_manifest_pairs_of_one_person_make_persons(tmp_path: Path) -> None:
    found = read(pairs_file(tmp_path, "a,b,1", "c,d,1", "b,e,1", "a,c,0", "f,a,0"))
    persons = {photo.path.name: photo.identity for photo in found.photos}
    assert persons["a"] == persons["b"] == persons["e"]
    assert persons["c"] == persons["d"] != persons["a"]
    assert persons["f"] not in {persons["a"], persons["c"]}
    assert not found.named


def test_a_pair_counts_once_whichever_way_round(tmp_path: Path) -> None:
    found = read(pairs_file(tmp_path, "a,b,1", "b,a,1", "a,c,0"))
    assert len(found.pairs) == 2
    assert found.left_out == {"named twice": 1}


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (("a,b,yes",), "line 2: same is 'yes', expected 1 or 0"),
        (("a,a,1",), "compared with itself"),
        (("a,b,1", "b,a,0"), "line 3: the same two photos have another label in line 2"),
        (("a,b,1", "b,c,1", "a,c,0"), "line 4: same is 0, but other pairs make the two photos one person"),
        (("a,../b,1",), "does not lie in the folder"),
    ],
)
def test_pairs_that_cannot_be_are_refused_with_their_line(
    tmp_path: Path, rows: tuple[str, ...], said: str
) -> None:
    with pytest.raises(PhotoListError, match=said):
        read(pairs_file(tmp_path, *rows))


def test_pairs_that_contradict_the_manifest_are_refused(tmp_path: Path) -> None:
    for row, manifest, said in (
        ("a,b,0", ("a,x", "b,x"), "gives one identity"),
        ("a,b,1", ("a,x", "b,y"), "gives two identities"),
        ("a,c,1", ("a,x", "b,y"), "gives 'c' no identity"),
    ):
        with pytest.raises(PhotoListError, match=said):
            read(pairs_file(tmp_path, row, manifest=manifest))


def test_corrections_exclude_pairs_with_a_reason(tmp_path: Path) -> None:
    manifest = ("a,s:1", "b,s:2", "c,s:3", "d,s:4", "e,s:5", "f,other:6")
    file = pairs_file(tmp_path, *(f"a,{other},0" for other in "bcdef"), manifest=manifest)
    corrections = Corrections(
        same_person={"s:2": "s:1"},
        unsure=frozenset({frozenset({"s:1", "s:3"})}),
        wrong_label=frozenset({"d"}),
    )
    found = read(file, corrections, apart=("other",))
    assert [photo.path.name for photo in found.photos] == ["a", "e"]
    assert found.left_out == {
        "one person by the corrections": 1,
        "perhaps one person by the corrections": 1,
        "left out by the corrections": 1,
        "across the groups that are measured apart": 1,
    }


def test_a_file_that_leaves_nothing_to_compare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NothingToMeasure):
        read(pairs_file(tmp_path))
    with pytest.raises(PhotoListError, match="cannot be read"):
        read(tmp_path / "none.csv")


def test_the_development_pairs_can_be_read(assets: Path) -> None:
    found = read(assets / "data" / "faces" / "pairs.csv", apart=("orl",))
    assert found.named
    assert len(found.pairs) + sum(found.left_out.values()) == 1848
    persons = [photo.identity for photo in found.photos]
    genuine = sum(persons[one] == persons[other] for one, other in found.pairs)
    # Some are named twice.
    assert 970 <= genuine <= 986


HEADER = "file,identity,label,usable\n"


def folder_with(tmp_path: Path, *rows: str, header: str = HEADER) -> Path:
    (tmp_path / "manifest.csv").write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return tmp_path


def listed(folder: Path, corrections: Corrections | None = None) -> PhotoList:
    return read_photo_list(folder, corrections=corrections or Corrections(), apart=())


def test_only_usable_certain_bona_fide_photos_are_taken_and_others_counted_by_reason(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        "a.jpg,x:1,bona_fide,1",
        "b.jpg,x:2,bona_fide,0",
        "c.jpg,x:3,not_photo,1",
        "d.jpg,,bona_fide,1",
        "e.jpg,x:4?,bona_fide,1",
        "f.jpg,x:5,bona_fide,1",
        "g.pgm,grey:1,bona_fide,1",
    )
    corrections = Corrections(wrong_label=frozenset({"f.jpg"}))
    found = read_photo_list(folder, corrections=corrections, apart={"grey"})
    assert [(photo.path.name, photo.identity, photo.apart) for photo in found.photos] == [
        ("a.jpg", "x:1", False),
        ("g.pgm", "grey:1", True),
    ]
    assert found.left_out == {
        "marked as not usable": 1,
        "not labelled bona_fide": 1,
        "without an identity": 1,
        "of an uncertain identity": 1,
        "left out by the corrections": 1,
    }


def test_labels_of_one_person_become_one(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.jpg,x:1,bona_fide,1", "b.jpg,y:1,bona_fide,1")
    found = listed(folder, Corrections(same_person={"x:1": "y:1"}))
    assert [photo.identity for photo in found.photos] == ["y:1", "y:1"]


def test_a_manifest_needs_file_and_identity_and_keeps_other_columns(tmp_path: Path) -> None:
    # A byte order mark at the start, as spreadsheets write it.
    folder = folder_with(tmp_path, "a.jpg,x,cam 1", "b/c.jpg,y,", header="\ufefffile,identity,camera\n")
    found = listed(folder)
    assert found.columns == ("file", "identity", "camera")
    assert [photo.columns["camera"] for photo in found.photos] == ["cam 1", ""]
    assert found.photos[1].path == folder / "b" / "c.jpg"


def test_without_a_manifest_each_subfolder_is_a_person(tmp_path: Path) -> None:
    for name in ("ann/1.jpg", "ann/2.PNG", "bob/1.webp", "bob/notes.txt", "stray.jpg"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(name.encode())
    (tmp_path / "empty").mkdir()
    found = listed(tmp_path)
    assert [(photo.identity, photo.path.name) for photo in found.photos] == [
        ("ann", "1.jpg"),
        ("ann", "2.PNG"),
        ("bob", "1.webp"),
    ]
    assert found.columns == ()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("/etc/passwd", "does not lie in the folder"),
        ("../outside.jpg", "without .."),
        ("a\\..\\..\\b.jpg", "without .."),
        ("C:/x.jpg", "does not lie in the folder"),
        ("", "does not lie in the folder"),
    ],
)
def test_files_outside_the_folder_are_refused_with_their_line(tmp_path: Path, name: str, said: str) -> None:
    folder = folder_with(tmp_path, "a.jpg,x", f"{name},y", header="file,identity\n")
    with pytest.raises(PhotoListError, match=said) as caught:
        listed(folder)
    assert "line 3" in str(caught.value)


@given(st.text())
def test_no_name_leads_out_of_the_folder(name: str) -> None:
    folder = Path("/srv/photos")
    try:
        path = path_inside(folder, name, where="line 2")
    except PhotoListError:
        return
    assert folder in path.parents
    assert ".." not in path.parts


def test_a_missing_folder_and_one_without_photos_are_reported(tmp_path: Path) -> None:
    with pytest.raises(PhotoListError, match="is no folder"):
        listed(tmp_path / "none")
    with pytest.raises(PhotoListError, match=r"neither a manifest\.csv nor subfolders"):
        listed(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"file,label\na.jpg,bona_fide\n", "no column identity"),
        (b"", "no column file and no column identity; found none"),
        (b"file,identity\na.jpg,x,y\n", "line 2: expected 2 values"),
        (b"file,identity\n\xff.jpg,x\n", "no CSV file in UTF-8"),
        (b'file,identity\n"a.jpg,x\n', "no CSV file"),
    ],
)
def test_a_broken_manifest_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "manifest.csv").write_bytes(content)
    with pytest.raises(PhotoListError, match=said):
        listed(tmp_path)


cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1)


@given(st.lists(st.tuples(cells, cells), max_size=5))
def test_rows_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    stream = io.StringIO()
    csv.writer(stream).writerows([("file", "identity"), *pairs])
    file = tmp_path_factory.mktemp("rows") / "list.csv"
    file.write_text(stream.getvalue(), encoding="utf-8", newline="")
    _, rows = read_rows(file, needed=("file", "identity"))
    assert [(row["file"], row["identity"]) for row in rows] == pairs


@given(st.binary(max_size=200))
def test_any_bytes_give_rows_or_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.mktemp("bytes") / "list.csv"
    file.write_bytes(b"file,identity\n" + content)
    try:
        _, rows = read_rows(file, needed=("file", "identity"))
    except PhotoListError:
        return
    assert all(set(row) == {"file", "identity"} for row in rows)


def test_a_copy_of_a_photo_counts_once_for_its_person(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "a.jpg,x:1,bona_fide,1", "b.jpg,x:1,bona_fide,1", "c.jpg,x:2,bona_fide,1")
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (folder / name).write_bytes(b"one photo")
    found = listed(folder)
    # Under another name it may be an error of the labels, and is compared.
    assert [photo.path.name for photo in found.photos] == ["a.jpg", "c.jpg"]
    assert found.left_out == {"copies of another photo of the person": 1}


def scene(width: int = 640, height: int = 480) -> BgrImage:
    rng = np.random.default_rng(1)
    smooth = cv2.GaussianBlur(rng.normal(size=(height, width, 3)), (0, 0), 6)
    return np.asarray(np.clip(128 + 50 * smooth / smooth.std(), 0, 255), np.uint8)


def marked(scale: float) -> tuple[BgrImage, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """A picture with a bright dot at each eye, the face turned."""
    image = np.zeros((480, 640, 3), np.uint8)
    eyes = np.array([[300.0, 200.0], [300.0 + 40.0 * scale, 200.0 + 15.0 * scale]], np.float32)
    for x, y in eyes:
        cv2.circle(image, (round(float(x)), round(float(y))), 3, (255, 255, 255), -1)
    return image, np.vstack([eyes, np.zeros((3, 2), np.float32)])


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_portrait_has_upright_eyes_a_hundred_pixels_apart(scale: float) -> None:
    image, points = marked(scale)
    face = type(FACE)(box=FACE.box, confidence=0.9, five_points=points)
    portrait = portrait_of(image, face)
    assert portrait.shape == (PORTRAIT_SIZE[1], PORTRAIT_SIZE[0], 3)
    luma = portrait[..., 0].astype(float)
    columns = np.arange(PORTRAIT_SIZE[0])
    left, right = (
        float((part.sum(axis=0) * at).sum() / part.sum())
        for part, at in ((luma[:, :206], columns[:206]), (luma[:, 206:], columns[206:]))
    )
    assert right - left == pytest.approx(100.0, abs=2.0)
    rows = (luma.sum(axis=1) * np.arange(PORTRAIT_SIZE[1])).sum() / luma.sum()
    assert rows == pytest.approx(239.0, abs=2.0)


@pytest.mark.parametrize("degradation", list(Degradation))
def test_a_degradation_is_the_same_again_and_keeps_the_size(degradation: Degradation) -> None:
    portrait = scene(*PORTRAIT_SIZE)
    once, again = (degraded_portrait(portrait, degradation) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert once.shape == portrait.shape
    assert (once == portrait).all() == (degradation is Degradation.CROP)
    # The person is still to be seen.
    likeness = np.corrcoef(once.mean(axis=2).ravel(), portrait.mean(axis=2).ravel())[0, 1]
    assert likeness > 0.8


def test_jpeg_2000_fits_a_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    decode = cv2.imdecode

    def measured(data: np.ndarray[tuple[int], np.dtype[np.uint8]], flags: int) -> object:
        sizes.append(data.size)
        return decode(data, flags)

    monkeypatch.setattr(cv2, "imdecode", measured)
    degraded_portrait(np.random.default_rng(1).integers(0, 256, (531, 413, 3), np.uint8), Degradation.JP2)
    assert 14_000 < sizes[0] <= 15_000


def test_grey_has_no_colour_and_faded_less_contrast() -> None:
    portrait = scene(*PORTRAIT_SIZE)
    grey = degraded_portrait(portrait, Degradation.GREY)
    assert (grey[..., 0] == grey[..., 2]).all()
    assert degraded_portrait(portrait, Degradation.FADED).std() < 0.7 * portrait.std()


class Detector:
    """Detects as many faces as the image's grey value."""

    def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
        many = round(float(image.mean()) / 50)
        return tuple(replace(FACE, box=Box(10.0 * n, 10.0, 10.0 * n + 50.0, 60.0)) for n in range(many))


class FailingEmbedder:
    dimensions = 4

    def embed(
        self,
        image: BgrImage,
        face: DetectedFace,
        landmarks: Landmarks | None = None,
        *,
        mirrored: bool = True,
    ) -> Embedding:
        raise ModelFailed("out of memory")


def packs() -> tuple[Pack, Pack]:
    good = replace(burning_pack(), detector=Detector())
    return good, replace(good, embedder=FailingEmbedder())


def photo(folder: Path, name: str, grey: int | None) -> FacePhoto:
    path = folder / name
    if grey is not None:
        path.write_bytes(encode_jpeg(np.full_like(IMAGE, grey)))
    return FacePhoto(path, name, apart=False)


def test_each_pack_gets_each_photo_and_failures_are_distinguished(tmp_path: Path) -> None:
    photos = [
        photo(tmp_path, "one.jpg", 50),
        photo(tmp_path, "none.jpg", 0),
        photo(tmp_path, "two.jpg", 100),
        photo(tmp_path, "missing.jpg", None),
        photo(tmp_path, "again.jpg", 50),
    ]
    calls: list[None] = []
    good, failing = embed_photos(
        photos, packs=packs(), subject=PHOTO_SUBJECT, report=lambda: calls.append(None)
    )
    assert len(calls) == 5
    assert [(each.photo, each.identity) for each in good.templates] == [(0, "one.jpg"), (4, "again.jpg")]
    assert good.faults == {
        1: AcquisitionFault.NO_FACE,
        2: AcquisitionFault.SEVERAL_FACES,
        3: AcquisitionFault.UNREADABLE,
    }
    assert (good.photos, good.failures) == (5, 3)
    assert failing.templates == ()
    assert failing.fault_counts[AcquisitionFault.MODEL_FAILED] == 2
    # The embedder uses 8 ms of CPU time.
    assert len(good.milliseconds) == 2
    assert all(7.0 < spent < 200.0 for spent in good.milliseconds)


class Blind:
    scheme = "mediapipe478"

    def locate(self, image: BgrImage, face: DetectedFace) -> None:
        return None


def test_a_face_without_features_is_not_compared(tmp_path: Path) -> None:
    blind = replace(packs()[0], landmarker=Blind())
    photos = [photo(tmp_path, "profile.jpg", 50)]
    (run,) = embed_photos(photos, packs=(blind,), subject=PHOTO_SUBJECT)
    assert run.faults == {0: AcquisitionFault.NO_FEATURES}


def test_photos_of_persons_with_several_are_embedded_as_portraits_too(tmp_path: Path) -> None:
    photos = [
        replace(photo(tmp_path, name, 50), identity=identity)
        for name, identity in (("a.jpg", "ann"), ("b.jpg", "ann"), ("c.jpg", "cid"))
    ]
    good, _ = embed_photos(
        photos,
        packs=packs(),
        subject=PHOTO_SUBJECT,
        portraits=[Degradation.CROP, Degradation.GREY],
        workers=2,
    )
    assert list(good.portraits) == [Degradation.CROP, Degradation.GREY]
    for run in good.portraits.values():
        assert [each.photo for each in run.templates] == [0, 1]
    assert [each.photo for each in good.templates] == [0, 1, 2]


@pytest.mark.parametrize(("background_width", "templates"), [(PHOTO_SUBJECT.background_width, 1), (0.0, 0)])
def test_the_rule_decides_whether_a_smaller_face_in_the_corner_matters(
    tmp_path: Path, background_width: float, templates: int
) -> None:
    class Bystander:
        def detect(self, image: BgrImage) -> tuple[DetectedFace, ...]:
            height, width = image.shape[:2]
            x, y, half = width / 2, height / 2, min(width, height) / 4
            boxes = Box(x - half, y - half, x + half, y + half), Box(0.0, 0.0, half, half)
            return tuple(replace(FACE, box=box) for box in boxes)

    (run,) = embed_photos(
        [photo(tmp_path, "a.jpg", 50)],
        packs=[replace(burning_pack(), detector=Bystander())],
        subject=replace(PHOTO_SUBJECT, background_width=background_width),
    )
    assert len(run.templates) == templates
    assert run.fault_counts[AcquisitionFault.SEVERAL_FACES] == 1 - templates

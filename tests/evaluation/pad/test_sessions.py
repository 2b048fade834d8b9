from hypothesis import given
from hypothesis import strategies as st

from evaluation.pad.dataset import sessions_from_names


def test_pictures_of_one_sitting_whatever_else_they_are_called() -> None:
    found = sessions_from_names(
        [
            "live/img_1597925169.jpg",
            "spoof/paper_1597925700.jpg",
            "live/1597926400.jpg",
            "live/20240119_205621.jpg",
            "live/IMG20240119205630.jpg",
        ]
    )
    assert found[0] == found[1] == "t1597925169"
    assert found[2] == "t1597926400"
    assert found[3] == found[4] != found[2]


def test_a_chain_of_pictures_is_one_sitting() -> None:
    names = [f"{1600000000 + 500 * number}.jpg" for number in range(10)]
    assert set(sessions_from_names(names)) == {"t1600000000"}


def test_names_without_a_time_are_grouped_by_the_prefix_of_their_number() -> None:
    found = sessions_from_names(
        ["spoof/A4_img_0.jpg", "spoof/A4_img_10.jpg", "spoof/Matt_img_0.jpg", "live/7.png"]
    )
    assert found == ("spoof/A4_img", "spoof/A4_img", "spoof/Matt_img", "live")


def test_an_impossible_date_is_a_number() -> None:
    assert sessions_from_names(["a/x20249999_999999.jpg"]) == ("a/x",)


@given(st.lists(st.text(min_size=1, max_size=30), unique=True, max_size=20))
def test_any_names_give_a_session_each(names: list[str]) -> None:
    found = sessions_from_names(names)
    assert len(found) == len(names)
    assert all(found)

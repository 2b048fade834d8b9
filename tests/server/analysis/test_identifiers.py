import re
import secrets

from server.analysis.results import image_request_id, video_inference_id


def test_names_have_the_form_that_the_contracts_give() -> None:
    assert re.fullmatch(r"lv_[0-9a-f]{16}", image_request_id(secrets.token_bytes))
    assert re.fullmatch(r"inf_[0-9a-f]{18}", video_inference_id(secrets.token_bytes))


def test_names_are_all_of_their_randomness() -> None:
    assert image_request_id(lambda count: bytes(range(count))) == "lv_0001020304050607"
    assert video_inference_id(lambda count: bytes(range(count))) == "inf_000102030405060708"

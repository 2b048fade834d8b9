from server.base.errors import camel


def test_details_are_named_as_the_wire_names_them() -> None:
    assert camel({"max_bytes": 1, "bytes": 2, "max_side_px": 3}) == {
        "maxBytes": 1,
        "bytes": 2,
        "maxSidePx": 3,
    }

from device_integrity.android.apps import AllowedApp, app_is_allowed, package_is_allowed

_OLD, _NEW, _OTHER = bytes(32), b"\x01" * 32, b"\x02" * 32
_APPS = (
    AllowedApp(package="org.example.bank", certificate_digests=frozenset({_OLD, _NEW})),
    AllowedApp(package="org.example.card", certificate_digests=frozenset({_OTHER})),
)


def test_an_app_is_found_by_its_package_name() -> None:
    assert package_is_allowed(_APPS, "org.example.card")
    assert not package_is_allowed(_APPS, "org.example")
    assert not package_is_allowed((), "org.example.card")


def test_an_app_by_its_name_and_every_one_of_its_signatures() -> None:
    assert app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OLD}))
    assert app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OLD, _NEW}))
    assert app_is_allowed(_APPS, ["org.example.bank", "org.example.shared"], frozenset({_NEW}))
    assert not app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OLD, _OTHER}))
    assert not app_is_allowed(_APPS, ["org.example.bank"], frozenset({_OTHER}))
    assert not app_is_allowed(_APPS, ["org.example.bank"], frozenset())
    assert not app_is_allowed(_APPS, [], frozenset({_OLD}))

"""The methods of the listeners, and their required permissions."""

from server.edge.device_servicer import DeviceServicer
from server.edge.listeners import SCOPES, SERVICES


def test_every_method_but_those_of_devices_needs_a_scope() -> None:
    # A method without one is open to every known caller, whatever its role.
    contract = {
        f"/{service.full_name}/{method.name}"
        for service in SERVICES
        for method in service.methods
        if not hasattr(DeviceServicer, method.name)
    }
    assert contract == set(SCOPES)

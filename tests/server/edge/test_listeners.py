"""The methods of the listeners, and their required permissions."""

from facegate.v1 import analysis_service_pb2 as analysis_pb2
from facegate.v1 import verification_service_pb2 as service_pb2

from server.edge.device_servicer import DeviceServicer
from server.edge.listeners import SCOPES

_SERVICES = (
    service_pb2.DESCRIPTOR.services_by_name["VerificationService"],
    analysis_pb2.DESCRIPTOR.services_by_name["AnalysisService"],
)


def test_every_method_but_those_of_devices_needs_a_scope() -> None:
    # A method without one is open to every known caller, whatever its role.
    contract = {
        f"/{service.full_name}/{method.name}"
        for service in _SERVICES
        for method in service.methods
        if not hasattr(DeviceServicer, method.name)
    }
    assert contract == set(SCOPES)

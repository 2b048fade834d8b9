"""Messages and stubs of ``facegate.v1``, generated from the .proto files beside this file."""

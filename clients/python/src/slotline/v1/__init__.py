"""Messages and stubs of the gRPC contract, generated from ``protos/slotline/v1``."""

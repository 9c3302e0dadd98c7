"""The core as a process: its gRPC servers, signals and exit code. May import all of ``service.api``."""

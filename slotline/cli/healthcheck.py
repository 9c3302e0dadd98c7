"""``slotline healthcheck``: asks a server whether it is ready."""

from __future__ import annotations

import http.client
import sys
import urllib.parse

import grpc
from grpc_health.v1 import health_pb2

from slotline.cli.options.table import Parsed, UsageError


def run(parsed: Parsed) -> int:
    """Ask and print one line; the exit status is 0 if the server is ready."""
    settings = parsed.settings
    for warning in parsed.warnings:
        print(f"note: {warning}", file=sys.stderr)
    if ("grpc" in settings) == ("http" in settings):
        raise UsageError("error: healthcheck needs either --grpc ADDRESS or --http URL")
    timeout_s = parsed.value("probe_timeout_s")
    if "grpc" in settings:
        is_ready, answer = ask_grpc(settings["grpc"], settings.get("service", ""), timeout_s)
    else:
        is_ready, answer = ask_http(settings["http"], timeout_s)
    print(answer, file=sys.stdout if is_ready else sys.stderr)
    return 0 if is_ready else 1


def ask_grpc(address: str, service: str, timeout_s: float) -> tuple[bool, str]:
    """Ask ``grpc.health.v1``; whether the service is SERVING, and a line that says so."""
    # A proxy that the environment names is not meant for a probe inside the container.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        try:
            response = check(health_pb2.HealthCheckRequest(service=service), timeout=timeout_s)
        except grpc.RpcError as error:
            return False, f"{address}: {error.code().name}: {' '.join((error.details() or '').split())}"
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    return response.status == health_pb2.HealthCheckResponse.SERVING, f"{address}: {status}"


def ask_http(url: str, timeout_s: float) -> tuple[bool, str]:
    """Ask with GET; whether the status is 200, and a line that says so."""
    parts = urllib.parse.urlsplit(url)
    target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    connection = http.client.HTTPConnection(parts.netloc, timeout=timeout_s)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        body = " ".join(response.read(500).decode(errors="replace").split())
    except (OSError, http.client.HTTPException) as error:
        return False, f"{url}: {error or type(error).__name__}"
    finally:
        connection.close()
    return response.status == 200, f"{url}: {response.status} {body}"

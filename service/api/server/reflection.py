"""Reflection in both versions that clients ask for: ``grpc.reflection.v1`` and the older ``v1alpha``.

The two have the same messages with the same numbers under another package, so one servicer answers both. The installed
package brings v1alpha alone; the description of v1 is made from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc.aio
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection, reflection_pb2

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_OLD_PACKAGE, _PACKAGE = "grpc.reflection.v1alpha", "grpc.reflection.v1"
SERVICE_NAMES = (reflection.SERVICE_NAME, f"{_PACKAGE}.ServerReflection")


def enable_reflection(services: Sequence[str], server: grpc.aio.Server) -> None:
    """Let clients ask a server about its services, and about reflection itself.

    Args:
        services: full names.
        server: not started yet.
    """
    servicer = reflection.aio.ReflectionServicer([*services, *SERVICE_NAMES], pool=_Pool())
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}) for name in SERVICE_NAMES)
    )


class _Pool:
    """The descriptions of everything imported, and that of v1."""

    def __init__(self) -> None:
        self._all = descriptor_pool.Default()
        self._v1 = descriptor_pool.DescriptorPool()
        self._v1.Add(_describe_v1())

    def FindFileByName(self, name: str) -> Any:
        return self._find("FindFileByName", name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:
        try:
            return self._find("FindFileContainingSymbol", symbol)
        except KeyError:
            # Protobuf finds services by their names, but not their methods.
            service, _, method = symbol.rpartition(".")
            file = self._find("FindFileContainingSymbol", service)
            if any(method in one.methods_by_name for one in file.services_by_name.values() if one.full_name == service):
                return file
            raise

    def FindMessageTypeByName(self, name: str) -> Any:
        return self._find("FindMessageTypeByName", name)

    def FindExtensionByNumber(self, message: Any, number: int) -> Any:
        return self._all.FindExtensionByNumber(message, number)

    def FindAllExtensions(self, message: Any) -> Iterable[Any]:
        return self._all.FindAllExtensions(message)

    def _find(self, method: str, name: str) -> Any:
        try:
            return getattr(self._all, method)(name)
        except KeyError:
            return getattr(self._v1, method)(name)


def _describe_v1() -> descriptor_pb2.FileDescriptorProto:
    """v1alpha's file under the names of v1."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    file.name = "grpc/reflection/v1/reflection.proto"
    file.package = _PACKAGE
    file.ClearField("options")
    for message in file.message_type:
        for field in filter(lambda field: field.HasField("type_name"), message.field):
            field.type_name = _renamed(field.type_name)
    for service in file.service:
        for method in service.method:
            method.input_type, method.output_type = _renamed(method.input_type), _renamed(method.output_type)
    return file


def _renamed(name: str) -> str:
    return name.replace(f".{_OLD_PACKAGE}.", f".{_PACKAGE}.")

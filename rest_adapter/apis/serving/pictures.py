"""Pictures of the current request: placed where markers stand for them, fetched from where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from rest_adapter.apis.serving.limits import served_model
from rest_adapter.errors import InvalidRequest
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_adapter.apis.common.pictures import Pictures
    from rest_adapter.apis.serving.app_context import AppContext
    from slotline.v1.model_pb2 import ImageSupport

Call = TypeVar("Call")


def placed_pictures(context: AppContext, call: Call, place: Callable[[Call, ImageSupport], Call]) -> Call:
    """A call with the pictures of ``image_data``; as it is if the model takes none, for then they are ignored.

    Args:
        context: what the routes share.
        call: what a body asks for; it has pictures.
        place: puts them into the prompts, within limits.

    Raises:
        RpcFailure: the core cannot tell what its model takes.
        InvalidRequest: a picture or a marker is not allowed.
    """
    model = served_model(context.core)
    if not model.HasField("images"):
        return call
    return context.reading.run(lambda: place(call, model.images))


def fetch_pictures(context: AppContext, pictures: Pictures) -> None:
    """Fetch the pictures that other servers have.

    Raises:
        InvalidRequest: a picture cannot be had from there, or this server fetches none.
    """
    for picture in pictures.remote:
        problem = f"{show(picture.url)} is at another server, and this one fetches no pictures"
        raise InvalidRequest(picture.path, f"{problem}; send the file itself, as data:image/png;base64,...")

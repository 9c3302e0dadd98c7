"""Pictures of the current request: placed where markers stand for them, fetched from where they are."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

from rest_adapter.apis.serving.limits import served_model
from rest_adapter.errors import InvalidRequest, Overloaded
from rest_adapter.json.encoding import show
from rest_adapter.remote.errors import TooBusy, Unfetchable

if TYPE_CHECKING:
    from collections.abc import Callable

    from rest_adapter.apis.common.pictures import Pictures, RemotePicture
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
    """Fetch the pictures that other servers have, unless the model takes none: then the core says so.

    Raises:
        InvalidRequest: a picture cannot be had from there, or this server fetches none.
        Overloaded: pictures of too many other requests are being fetched.
        RpcFailure: the core cannot tell what its model takes.
    """
    if not pictures.remote:
        return
    fetcher = context.fetcher
    if fetcher is None:
        raise _refused(pictures.remote[0], "is at another server, and this one fetches no pictures")
    model = served_model(context.core)
    if not model.HasField("images"):
        return
    limits = model.images
    if len(pictures.paths) > limits.max_images:
        raise _refused(pictures.remote[-1], f"is one picture too many; a request may have {limits.max_images}")
    urls = [one.url for one in pictures.remote]
    with closing(fetcher.fetch(urls, max_bytes=limits.max_request_image_bytes)) as files:
        for picture in pictures.remote:
            try:
                picture.image.data = next(files)
            except TooBusy as error:
                raise Overloaded(error.limit, "requests fetch pictures") from None
            except Unfetchable as error:
                raise _refused(picture, str(error)) from None


def _refused(picture: RemotePicture, problem: str) -> InvalidRequest:
    advice = "send the file itself, as data:image/png;base64,..."
    return InvalidRequest(picture.path, f"{show(picture.url)} {problem}; {advice}")

"""Pictures of the current request: placed where markers stand for them, fetched from where they are."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from rest_adapter.apis.common.pictures import LOCAL
from rest_adapter.apis.serving.limits import served_model
from rest_adapter.errors import InvalidRequest, Overloaded
from rest_adapter.files.media import Unreadable, read_media
from rest_adapter.json.encoding import show
from rest_adapter.remote.errors import TooBusy, Unfetchable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rest_adapter.apis.common.pictures import PictureElsewhere, Pictures
    from rest_adapter.apis.serving.app_context import AppContext
    from rest_adapter.remote.fetcher import Fetcher
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
    """Get the pictures that other servers or files have, unless the model takes none: then the core says so.

    Raises:
        InvalidRequest: a picture cannot be had from there, or this server gets none from there.
        Overloaded: pictures of too many other requests are being fetched.
        RpcFailure: the core cannot tell what its model takes.
    """
    if not pictures.remote and not pictures.local:
        return
    folder, fetcher = context.config.media_path, context.fetcher
    if pictures.local and folder is None:
        raise _refused(pictures.local[0], "is a file, and this server was started without --media-path")
    if pictures.remote and fetcher is None:
        raise _refused(pictures.remote[0], "is at another server, and this one fetches no pictures")
    model = served_model(context.core)
    if not model.HasField("images"):
        return
    limits = model.images
    if len(pictures.paths) > limits.max_images:
        last = (*pictures.local, *pictures.remote)[-1]
        raise _refused(last, f"is one picture too many; a request may have {limits.max_images}")
    rest = limits.max_request_image_bytes
    if folder is not None:
        for picture in pictures.local:
            read = partial(_read_file, folder, picture, min(limits.max_image_bytes, rest))
            picture.image.data = context.reading.run(read)
            rest -= len(picture.image.data)
    if fetcher is not None and pictures.remote:
        _fetch(fetcher, pictures.remote, rest)


def _read_file(folder: str, picture: PictureElsewhere, max_bytes: int) -> bytes:
    """A picture in a file."""
    try:
        return read_media(folder, picture.url[len(LOCAL) :], max_bytes)
    except Unreadable as error:
        raise _refused(picture, str(error)) from None


def _fetch(fetcher: Fetcher, pictures: Sequence[PictureElsewhere], max_bytes: int) -> None:
    """Fetch the pictures of other servers."""
    with closing(fetcher.fetch([one.url for one in pictures], max_bytes=max_bytes)) as files:
        for picture in pictures:
            try:
                picture.image.data = next(files)
            except TooBusy as error:
                raise Overloaded(error.limit, "requests fetch pictures") from None
            except Unfetchable as error:
                raise _refused(picture, str(error)) from None


def _refused(picture: PictureElsewhere, problem: str) -> InvalidRequest:
    advice = "send the file itself, as data:image/png;base64,..."
    return InvalidRequest(picture.path, f"{show(picture.url)} {problem}; {advice}")

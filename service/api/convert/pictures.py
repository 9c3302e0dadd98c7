"""Pictures of a request: taken out of its message within limits, encoded, and put into its prompt."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from service.api.convert.checks import size_at_most
from service.api.convert.purpose import told_purpose
from service.engine.request.media import MediaChunk
from service.errors import InvalidArgument, NotSupported
from service.media.encoder import UnusablePicture
from service.prompts.pictures import number_at
from slotline.protocol.reasons import CONFIG_FIELDS
from slotline.v1 import embedding_pb2, generation_pb2, model_pb2, prompt_pb2, tokenization_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message

    from service.api.served_model import ServedModel
    from service.engine.language_model import ModelInfo
    from service.engine.request.items import PromptItem
    from service.media.encoder import EncodedPicture


#: Parts that are looked at on the event loop.
SCANNED_PARTS = 4096


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is not encoded yet.

    Attributes:
        field: path of its field, for errors.
        image: the message.
    """

    field: str
    image: prompt_pb2.Image


class Pictures:
    """Takes the pictures of one request, within the limits of the model on them.

    Args:
        model: that is to answer.
    """

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._taken: list[Picture] = []
        self._n_bytes = 0

    @property
    def taken(self) -> Sequence[Picture]:
        """Those that were taken, in their order."""
        return self._taken

    @property
    def fields(self) -> list[str]:
        """Their paths."""
        return [one.field for one in self._taken]

    @property
    def least_each(self) -> int:
        """The fewest tokens that one of them takes in a prompt."""
        support = self._model.pictures
        return 0 if support is None else support.encoder.facts.min_tokens

    @property
    def is_least_exact(self) -> bool:
        """Whether each takes just that many."""
        support = self._model.pictures
        return support is None or support.encoder.facts.min_tokens == support.encoder.facts.max_tokens

    def take(self, image: prompt_pb2.Image, path: str) -> int:
        """Take a picture; returns its number.

        Args:
            image: its message.
            path: of its field.

        Raises:
            NotSupported: the model takes no pictures.
            InvalidArgument: it is empty, too large, or one too many.
        """
        support = self._model.pictures
        if support is None:
            raise _no_pictures(self._model.info, path)
        limits, n_bytes = support.limits, len(image.data)
        if not n_bytes:
            raise InvalidArgument(f"{path}.data", "is empty; allowed is the file of a picture")
        for name in ("size_bytes", "format", "sha256"):
            if getattr(image, name):
                raise InvalidArgument(f"{path}.{name}", "is set, which only answers do; leave it out")
        if n_bytes > limits.max_image_bytes:
            raise InvalidArgument(path, f"has {n_bytes} bytes; allowed are at most {limits.max_image_bytes}")
        if len(self._taken) >= limits.max_images:
            raise InvalidArgument(path, f"is one picture too many; a request may have {limits.max_images}")
        self._n_bytes += n_bytes
        if self._n_bytes > limits.max_request_image_bytes:
            raise InvalidArgument(
                path,
                f"is too much: the pictures up to this one have {self._n_bytes} bytes; allowed are at most "
                f"{limits.max_request_image_bytes} in all",
            )
        self._taken.append(Picture(path, image))
        return len(self._taken) - 1

    def encode(self) -> EncodedPictures:
        """Encode those that were taken, at least one; may take seconds, and ends with the preparation that the model is
        paced by.

        Raises:
            InvalidArgument: one of them cannot be used.
            ServiceError: see ``PictureEncoder.encode``.
        """
        support = self._model.pictures
        assert support is not None, "one was taken"
        try:
            return EncodedPictures(support.encode([one.image.data for one in self._taken]))
        except UnusablePicture as error:
            raise InvalidArgument(self._taken[error.index].field, error.problem) from error


@dataclass(frozen=True, slots=True)
class EncodedPictures:
    """The pictures of a request, encoded.

    Attributes:
        pictures: by number.
    """

    pictures: Sequence[EncodedPicture]

    @property
    def media(self) -> dict[bytes, MediaChunk]:
        """Their chunks, by key."""
        return {part.key: part for one in self.pictures for part in one if isinstance(part, MediaChunk)}

    @property
    def n_items(self) -> int:
        """Items that they take, each of them once."""
        parts = (part for one in self.pictures for part in one)
        return sum(len(part.items) if isinstance(part, MediaChunk) else len(part) for part in parts)

    def put_into(self, tokens: Sequence[int]) -> tuple[PromptItem, ...]:
        """A prompt with its pictures in their places.

        Args:
            tokens: ids, and places of pictures.
        """
        items: list[PromptItem] = []
        for token in tokens:
            if token >= 0:
                items.append(token)
            else:
                for part in self.pictures[number_at(token)]:
                    items += part.items if isinstance(part, MediaChunk) else part
        return tuple(items)


def _no_pictures(info: ModelInfo, path: str) -> NotSupported:
    if not info.can_generate:
        return NotSupported(f"{path}: this model takes no pictures; {told_purpose(info)}")
    return NotSupported(
        f"{path}: this model takes no pictures as the server was started; set `mmproj`, the projector of a model that "
        "sees",
        metadata={CONFIG_FIELDS: "mmproj"},
    )


def picture_bytes(message: Message) -> int:
    """Bytes of the pictures in a message; 0 only if there are none among the first ``SCANNED_PARTS`` parts.

    Takes two milliseconds at most, for it is asked on the event loop: where a request is prepared depends on it.
    """
    parts = islice(_parts_of(message), SCANNED_PARTS)
    return sum(part.image.ByteSize() + 1 for part in parts if part.HasField("image"))


def text_size_at_most(field: str, message: Message, most: int) -> None:
    """Check the size of a message without its pictures.

    Raises:
        InvalidArgument: it is greater than ``most``.
    """
    if message.ByteSize() > most:
        n_bytes = sum(part.image.ByteSize() for part in _parts_of(message) if part.HasField("image"))
        size_at_most(field, message.ByteSize() - n_bytes, most)


def _parts_of(message: Message) -> Iterator[prompt_pb2.PromptPart]:
    """The parts of a request, or of a prompt, that may be pictures."""
    match message:
        case generation_pb2.GenerateRequest() | tokenization_pb2.TokenizeRequest():
            for form in ("parts", "chat"):
                if message.HasField(form):
                    yield from _parts_of(getattr(message, form))
        case embedding_pb2.EmbedRequest():
            for one in message.inputs:
                yield from _parts_of(one.parts)
        case model_pb2.ApplyTemplateRequest():
            yield from _parts_of(message.chat)
        case prompt_pb2.ChatPrompt():
            for turn in message.messages:
                yield from turn.content
        case prompt_pb2.PromptParts():
            yield from message.parts

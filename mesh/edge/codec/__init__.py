"""JSON <-> protobuf, compiled once per message type.

Equal to protobuf's json_format, which takes some 16 us a message, apart from
these: 64-bit integers are JSON numbers, fields without presence
are always there, an unset optional field or message is null, and a field marked
raw_json is carried as it is. Readers are a little stricter than json_format
where that one leans on Python's own int() and float().
"""

from functools import cache
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

from mesh.edge.codec.documents import parse
from mesh.edge.codec.reading import MessageReader
from mesh.edge.codec.writing import MessageWriter, dump
from mesh.edge.codec.wrong import Wrong, refused

M = TypeVar("M", bound=Message)

__all__ = ["Codec", "codec_of"]


class Codec(Generic[M]):
    """Both directions of one message type.

    Raises TypeError for a type that holds what JSON bodies of ours never do:
    Any, Struct and their kin.
    """

    def __init__(self, kind: type[M]) -> None:
        self._reader = MessageReader(kind)
        self._writer = MessageWriter(kind.DESCRIPTOR)

    def read(self, body: bytes | bytearray) -> M:
        """The message; AppError MALFORMED_JSON or INVALID_ARGUMENT, naming the field.

        A raw_json field inside a document is kept as an equal document, not byte
        for byte; routes carry it byte for byte where it is the whole body.
        """
        try:
            message: Any = self._reader.message(parse(body, deep=self._reader.recursive))
        except Wrong as wrong:
            raise refused(wrong) from None
        else:
            return message  # type: ignore[no-any-return]  # the reader makes what it was made for

    def write(self, message: M) -> bytes:
        """The message as a JSON object, in UTF-8."""
        return dump(self._writer.object(message))


@cache
def codec_of(kind: type[M]) -> Codec[M]:
    """The one codec of a message type."""
    return Codec(kind)

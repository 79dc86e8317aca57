"""JSON text as Python values."""

from typing import Any

import orjson

from leaky.common.v1.reason_pb2 import REASON_MALFORMED_JSON
from mesh.edge.codec.wrong import Wrong
from mesh.errors import AppError

# As many levels as protobuf itself reads.
DEEPEST = 100


def parse(body: bytes | bytearray, *, deep: bool = False) -> Any:
    """The document; AppError MALFORMED_JSON when it is none.

    `deep` bounds the nesting, for types that hold themselves; others end where
    their schema ends.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise AppError(REASON_MALFORMED_JSON, "the body is not valid JSON") from None
    if deep:
        _bound(document)
    return document


def _bound(document: Any) -> None:
    level = [document]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise Wrong(f"is nested more than {DEEPEST} levels deep")


def _inside(value: Any) -> Any:
    if type(value) is dict:
        return value.values()
    return value if type(value) is list else ()

"""Error reasons, as exception classes."""

from collections.abc import Iterator

from mesh.codegen.descriptors import Schema
from mesh.codegen.sdk.naming import camel
from mesh.codegen.sdk.plan import Reason

_ENUM = "leaky.common.v1.Reason"
_PREFIX = "REASON_"


def reasons(schema: Schema) -> Iterator[Reason]:
    """Every reason that is ever sent, in the order of its number."""
    enum = schema.enum(_ENUM)
    scope = enum.full_name.rpartition(".")[0]
    for value in sorted(enum.values, key=lambda value: value.number):
        if value.number == 0:
            continue
        name = value.name.removeprefix(_PREFIX)
        comment = schema.comments.get(f"{scope}.{value.name}", "")
        yield Reason(name=name, class_name=camel(name), comment=comment)

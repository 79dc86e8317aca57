"""What a reader raises, and the refusal it becomes."""

from leaky.common.v1.reason_pb2 import REASON_INVALID_ARGUMENT
from mesh.errors import AppError, FieldViolation


class Wrong(Exception):  # noqa: N818 it is no error yet, only a value that does not fit
    """A value that does not fit; never quotes it, for it may be a secret.

    The path is written on the way out, so that reading what fits costs nothing.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
        self.path = ""

    def at(self, step: str) -> "Wrong":
        """The same, one step further out; steps are field names or "[index]"."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        self.path = f"{step}{joint}{self.path}"
        return self


def refused(wrong: Wrong) -> AppError:
    """A 400 that names the field by its JSON path."""
    if not wrong.path:
        return AppError(REASON_INVALID_ARGUMENT, f"the body {wrong.text}")
    return AppError(
        REASON_INVALID_ARGUMENT,
        f"{wrong.path}: {wrong.text}",
        violations=(FieldViolation(field=wrong.path, message=wrong.text),),
    )

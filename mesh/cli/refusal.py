"""What a command answers when it cannot do what was asked."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from mesh.settings.remote import SourceAwayError
from mesh.settings.source import SettingsError

USAGE = 2
FAILED = 1


class RefusedError(Exception):
    """Ends the command with one line on stderr and this exit code."""

    def __init__(self, message: str, *, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class StartError(RefusedError):
    """A process that did not come up."""


@contextmanager
def explained() -> Iterator[None]:
    """Ends the process with one line on stderr, and an exit code, for what is refused inside."""
    try:
        yield
    except RefusedError as error:
        _end(str(error), error.code)
    except SettingsError as error:
        _end(str(error), USAGE)
    except SourceAwayError as error:
        _end(str(error), FAILED)
    except KeyboardInterrupt:
        sys.exit(130)


def _end(message: str, code: int) -> None:
    sys.stderr.write(f"leaky: {message}\n")
    sys.exit(code)

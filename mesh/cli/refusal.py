"""What a command answers when it cannot do what was asked."""

USAGE = 2
FAILED = 1


class RefusedError(Exception):
    """Ends the command with one line on stderr and this exit code."""

    def __init__(self, message: str, *, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class StartError(RefusedError):
    """A process that did not come up."""

"""What a call ends with when its stream does, or when it is not for a stream."""


class LostError(Exception):
    """The stream has ended; `sent` says whether the call may have arrived."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the stream has ended")
        self.sent = sent


class TooLongError(Exception):
    """The call is too long for a frame: it would end the stream, and all others with it."""

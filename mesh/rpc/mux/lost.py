"""What a call ends with when its stream does."""


class LostError(Exception):
    """The stream has ended; `sent` says whether the call may have arrived."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("the stream has ended")
        self.sent = sent

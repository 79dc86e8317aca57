"""Users' tokens, said once a stream and then by number."""

from collections import OrderedDict
from collections.abc import Callable

AUTHORIZATION = "authorization"
# Of one stream; the one that was used longest ago makes room.
MOST = 4_096
# Of one, twice what the edge takes in a header.
MOST_BYTES = 16 * 1024


class Numbers:
    """The caller's side."""

    def __init__(self, tell: Callable[[int, str], None], most: int = MOST) -> None:
        self._tell = tell
        self._most = most
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def of(self, authorization: str | None) -> int:
        """Its number, told to the other side if it does not know it; 0 for none."""
        if not authorization:
            return 0
        number = self._numbers.get(authorization)
        if number is not None:
            self._numbers.move_to_end(authorization)
            return number
        number = len(self._numbers) + 1
        if number > self._most:
            _, number = self._numbers.popitem(last=False)
        self._numbers[authorization] = number
        self._tell(number, authorization)
        return number

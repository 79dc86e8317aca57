"""How many calls a caller may have in flight on its stream, as the service's own bound moves."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mesh.settings import Live, MeshSettings

# Of one stream, however much the service admits.
MOST = 1_024


class Window:
    """As many as `mesh.max-in-flight` admits, 1,024 at most.

    What a caller sends beyond that would only be refused: so it waits for its turn there. It
    bounds each stream by itself; what all have together the admission interceptor does.
    """

    def __init__(self, settings: Live[MeshSettings] | None = None) -> None:
        self._size = MOST
        self._streams: set[Callable[[int], None]] = set()
        if settings is not None:
            self._follow(settings.current)
            settings.on_change(self._follow)

    def _follow(self, settings: MeshSettings) -> None:
        before, self._size = self._size, min(MOST, settings.mesh.max_in_flight)
        if self._size != before:
            for tell in self._streams:
                tell(self._size)

    @contextmanager
    def told(self, tell: Callable[[int], None]) -> Iterator[None]:
        """Tells a stream of it, and again of each change during the block."""
        tell(self._size)
        self._streams.add(tell)
        try:
            yield
        finally:
            self._streams.discard(tell)

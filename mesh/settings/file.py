"""Settings in a file under the data folder, which `leaky config set` writes."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mesh.settings.source import FILE, SettingsError, read_file
from mesh.settings.sources import Pause, Sink, T

POLL_SECONDS = 0.5


class FileSource:
    """The file, looked at twice a second."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._seen: tuple[int, ...] = ()

    def begin(
        self, check: Callable[[Mapping[str, str]], T], _refuse: Callable[[SettingsError], None]
    ) -> T:
        """The file's values; see Source."""
        # Noted before it is read, so that a change during the start is not missed.
        self._seen = self._stamp()
        return check(read_file(self._data))

    async def follow(self, sink: Sink, pause: Pause) -> None:
        """Watches the file until cancelled."""
        while True:
            await pause(POLL_SECONDS)
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                self._reread(sink)

    def _stamp(self) -> tuple[int, ...]:
        try:
            stat = (self._data / FILE).stat()
        except OSError:
            return ()
        return (stat.st_mtime_ns, stat.st_size, stat.st_ino)

    def _reread(self, sink: Sink) -> None:
        try:
            values = read_file(self._data)
        except SettingsError as error:
            sink.refuse(error)
            return
        sink.apply(values)

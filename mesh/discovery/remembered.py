"""The last known instances on disk, for a start while Consul is away."""

import json
from pathlib import Path

import structlog

from mesh.private_file import write_private

FOLDER = "discovery"
log = structlog.get_logger("discovery")


class Remembered:
    """One small file a service under the data folder, mode 0600.

    However old: what is not there any more refuses the connection, and the
    first answer of Consul replaces it.
    """

    def __init__(self, data: Path) -> None:
        self._folder = data / FOLDER
        self._told = False

    def read(self, service: str) -> tuple[str, ...]:
        """The addresses known last; none when there is no file that can be read."""
        try:
            addresses = json.loads(self._path(service).read_text())
        except FileNotFoundError:
            return ()
        except (OSError, ValueError) as error:
            self._tell(error)
            return ()
        if not isinstance(addresses, list):
            return ()
        return tuple(one for one in addresses if isinstance(one, str))

    def write(self, service: str, addresses: tuple[str, ...]) -> None:
        """Keeps the addresses; a disk that takes nothing is told of once and harms nothing."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            # The event loop does not wait for the disk: a lost file is as good as none.
            write_private(self._path(service), json.dumps(addresses), durable=False)
        except OSError as error:
            self._tell(error)

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"

    def _tell(self, error: Exception) -> None:
        if not self._told:
            log.warning("the last known instances cannot be kept on disk", error=str(error))
            self._told = True

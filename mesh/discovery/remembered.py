"""The last known instances on disk, for a start while Consul is away."""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

import structlog

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
        path = self._path(service)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(
                os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w"
            ) as file:
                json.dump(addresses, file)
            draft.replace(path)
        except OSError as error:
            with suppress(OSError):
                draft.unlink()
            self._tell(error)

    def _path(self, service: str) -> Path:
        return self._folder / f"{service}.json"

    def _tell(self, error: Exception) -> None:
        if not self._told:
            log.warning("the last known instances cannot be kept on disk", error=str(error))
            self._told = True

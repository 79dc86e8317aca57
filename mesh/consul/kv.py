"""Folders of Consul's KV: read whole, watched, and changed several at once.

Changes are transactions with check-and-set (Consul HTTP API, /v1/txn), sent by
hand because py-consul's own neither shows the token nor tells why one failed.
"""

import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from consul.callback import CB
from consul.exceptions import ACLPermissionDenied, ConsulException

from mesh.consul.client import CALL_SECONDS, FAILURES, WAIT_SECONDS, opened, told, within
from mesh.settings.model import MeshSettings
from mesh.settings.remote import SourceAwayError, Stored

ROOT = "leaky"
# Consul's own limit of operations in a transaction.
MOST_CHANGES = 64
_OK, _CONFLICT = 200, 409
# With a wait, Consul adds a sixteenth, and the way there and back takes time.
_SLACK = 17 / 16


class ForbiddenError(Exception):
    """The token may not do this; the message is Consul's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one key shall be: `text` None deletes it; `index` is what it was read at, 0 for new."""

    key: str
    text: str | None
    index: int


class Kv:
    """Consul's KV, through an open client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def folder(self, path: str, *, after: int = 0, wait: float = 0) -> Stored:
        """All keys below a folder, by the rest of their names.

        With `after`, the index of an earlier answer, it comes when there is
        something newer, or after `wait` seconds (at most 30) with what there
        is. Raises SourceAwayError, and ForbiddenError for a token that may
        not list the folder.
        """
        # Consistent: a leader that has just started may not have all that it holds at hand yet,
        # and a limit that is not there would be taken for one that was removed.
        params: list[tuple[str, Any]] = [("recurse", "1"), ("consistent", "1")]
        if after:
            params += [("index", after), ("wait", f"{min(wait, WAIT_SECONDS):.3f}s")]
        call = self._client.http.get(
            _stored(f"{path}/"),
            f"/v1/kv/{path}/",
            params=params,
            headers=self._client.prepare_headers(),
        )
        with _failures():
            stored: Stored = await within(call, CALL_SECONDS + wait * _SLACK)
            return stored

    async def change(self, changes: Sequence[Change]) -> bool:
        """Makes all of them, or none where a key has changed since it was read: then False.

        Raises SourceAwayError and ForbiddenError.
        """
        call = self._client.http.put(
            _changed,
            "/v1/txn",
            headers=self._client.prepare_headers(),
            data=json.dumps([{"KV": _operation(each)} for each in changes]),
        )
        with _failures():
            return bool(await within(call))


class Folder:
    """One service's settings in KV."""

    def __init__(self, kv: Kv, service: str) -> None:
        self._kv = kv
        self._path = folder_of(service)

    async def read(self, *, after: int = 0, wait: float = 0) -> Stored:
        """What is stored; see Kv.folder. A refused token is a source that is away."""
        try:
            return await self._kv.folder(self._path, after=after, wait=wait)
        except ForbiddenError as error:
            raise SourceAwayError(str(error)) from error


def folder_of(service: str) -> str:
    """Where a service's settings are in KV."""
    return f"{ROOT}/{service}"


@asynccontextmanager
async def settings_folder(settings: MeshSettings, service: str) -> AsyncIterator[Folder]:
    """A service's settings, read with the service's own token."""
    async with opened(settings, service) as client:
        yield Folder(Kv(client), service)


def _stored(prefix: str) -> Callable[[Any], Stored]:
    decoded = CB.json(index=True, decode="Value")

    def read(response: Any) -> Stored:
        # An answer with gaps must not pass for one in which settings are at their defaults.
        if response.headers.get("X-Consul-Results-Filtered-By-ACLs") == "true":
            message = f"the token may not read all of {prefix}"
            raise ACLPermissionDenied(message)
        index, entries = decoded(response)
        return _read(prefix, int(index), entries or [])

    return read


def _read(prefix: str, index: int, entries: Sequence[Mapping[str, Any]]) -> Stored:
    # The folder itself is an entry, too, where somebody made it in the UI.
    files = [entry for entry in entries if not entry["Key"].endswith("/")]
    return Stored(
        index=index,
        values={entry["Key"][len(prefix) :]: _text(entry["Value"]) for entry in files},
        indexes={entry["Key"][len(prefix) :]: entry["ModifyIndex"] for entry in files},
    )


def _text(value: bytes | None) -> str:
    # Editors end their files with a newline, which is never meant.
    return (value or b"").decode(errors="replace").strip()


def _operation(change: Change) -> dict[str, Any]:
    if change.text is None:
        return {"Verb": "delete-cas", "Key": change.key, "Index": change.index}
    value = base64.b64encode(change.text.encode()).decode()
    return {"Verb": "cas", "Key": change.key, "Value": value, "Index": change.index}


def _changed(response: Any) -> bool:
    if response.code == _OK:
        return True
    if response.code != _CONFLICT:
        # Raises, as for every other call.
        CB.json()(response)
    said = [error["What"] for error in json.loads(response.body)["Errors"]]
    denied = [what for what in said if what.startswith("Permission denied")]
    if denied:
        raise ACLPermissionDenied(denied[0])
    if not all("index is stale" in what or "doesn't exist" in what for what in said):
        raise ConsulException("; ".join(said))
    return False


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except ACLPermissionDenied as error:
        raise ForbiddenError(told(error)) from error
    except FAILURES as error:
        raise SourceAwayError(f"Consul cannot be asked: {told(error)}") from error

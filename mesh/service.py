"""What a service is: its name, its settings and how its parts are put together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from starlette.types import ASGIApp

from mesh.clock import Clock, Ids
from mesh.identity.identity import Identity
from mesh.rpc.channel import Channel
from mesh.rpc.dispatcher import Dispatcher, Servicer
from mesh.settings import Live, MeshSettings

S = TypeVar("S", bound=MeshSettings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(Generic[S]):
    """What the runtime gives a service to build itself from.

    `channel("auth")` is a resilient channel to that service, made once;
    `local` reaches this service's own methods through its own interceptors.
    `identity` verifies credentials, for what is not behind an interceptor.
    """

    name: str
    settings: Live[S]
    clock: Clock
    ids: Ids
    channel: Callable[[str], Channel]
    local: Channel
    dispatcher: Dispatcher
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a service consists of.

    `workers` run from start until after the last call has drained, and a worker
    that fails ends the process. `http` maps ports to ASGI apps. `ready` are named checks that
    raise when the service cannot do its work. `calls` are services without which it has
    nothing to offer: it says that it is healthy once they have been found, or that
    takes longer than `mesh.auth-wait`.
    """

    servicers: Sequence[Servicer] = ()
    workers: Sequence[Callable[[], Awaitable[None]]] = ()
    http: Mapping[int, ASGIApp] = field(default_factory=dict)
    ready: Mapping[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    calls: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[S]):
    """A service as `leaky serve NAME` finds it, by the entry point group leaky.services."""

    name: str
    settings: type[S]
    build: Callable[[Context[S]], AbstractAsyncContextManager[Parts]]

"""Calls whose caller goes away, over the stream by which services call each other."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from bench.callers import TOKENS
from bench.processes import until
from bench.strain.left_behind import IN_FLIGHT, Cancelled, Once, State, books, state_of
from bench.strain.options import Options
from bench.strain.place import STUCK_PROVIDER, Place
from bench.strain.tell import tell
from leaky.client import Client
from leaky.token.v1.consume_service_pb2 import ConsumeRequest, ConsumeResponse
from mesh.discovery.static import StaticDiscovery
from mesh.rpc.channel import Channel
from mesh.rpc.channels import Channels
from mesh.rpc.method import rpc
from mesh.rpc.mux.metrics import CLIENT
from mesh.settings import Live, MeshSettings
from mesh.settings.names import env_name

CONSUME = rpc(ConsumeRequest, ConsumeResponse)
# The first ones fill what is kept for later: memory, connections. The others show what grows.
TIMES = 16
# The double's answers, and what aiohttp keeps connections for.
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.2
# As long as the double takes.
_LOOKS = 25
# Files that come and go whatever is called: the database's, probes.
_FEW = 8
SETTINGS = {"mesh.max-in-flight": "1000000", "deadlines.consume": "60s"}
Begin = Callable[[Channel], "asyncio.Future[ConsumeResponse]"]


async def cancelled(place: Place, options: Options) -> Cancelled:
    """Begins the calls and cancels them all, sixteen times."""
    await asyncio.to_thread(place.change, SETTINGS)
    begin = await asyncio.to_thread(_call, place)
    async with _channel(place) as channel:
        # The first use makes the pool.
        await begin(channel)
        before, charged_before = await asyncio.to_thread(books, place)
        states, times = [await _state(place)], []
        for _ in range(TIMES):
            ended = await asyncio.to_thread(place.consumed) + options.calls
            times.append(await _once(place, [begin(channel) for _ in range(options.calls)]))
            tell(f"cancelled calls: {times[-1]}")
            states.append(await _at_rest(place, states[-1], ended))
        now, charged = await asyncio.to_thread(books, place)
    charged -= charged_before
    if now.until != before.until:
        raise RuntimeError("the pool of the cancelled calls was renewed meanwhile")
    return Cancelled(
        calls=options.calls,
        times=times,
        states=states,
        charged=charged,
        astray=before.tokens - now.tokens - charged * TOKENS,
    )


def _call(place: Place) -> Begin:
    """Begins a call that takes longer than anybody waits."""
    caller = place.callers[0]
    with Client(base_url=place.system.url) as client:
        told = client.auth.login(username=caller.username, password=caller.password)
    metadata = {"authorization": f"Bearer {told.token}"}
    request = ConsumeRequest(
        user_id=caller.user_id, provider=STUCK_PROVIDER, tokens=TOKENS, prompt="Say hello"
    )
    return lambda channel: asyncio.ensure_future(channel.unary(CONSUME, request, metadata=metadata))


@asynccontextmanager
async def _channel(place: Place) -> AsyncIterator[Channel]:
    """As services make theirs, when its stream is open."""
    port = str(place.system.ports["token.grpc-port"])
    values = {"data": str(place.folder / "data"), "token.grpc-port": port, **SETTINGS}
    env = {env_name(name): value for name, value in values.items()}
    settings = Live.read(MeshSettings, env)
    channels = Channels(settings, StaticDiscovery(settings))
    try:
        channel = channels.to("token")
        await _until(lambda: CLIENT.streams.value > 0)
        yield channel
    finally:
        await channels.close()


async def _once(place: Place, calls: Sequence["asyncio.Future[ConsumeResponse]"]) -> Once:
    begun = 0.0
    for _ in range(_LOOKS):
        await asyncio.sleep(_LOOK_SECONDS)
        begun = max(begun, await _in_flight(place))
        if begun >= len(calls):
            break
    started = time.perf_counter()
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    while await _in_flight(place) and time.perf_counter() - started < _PATIENCE_SECONDS:
        pass
    return Once(begun=begun, ended_seconds=time.perf_counter() - started)


async def _in_flight(place: Place) -> float:
    return await asyncio.to_thread(place.metric, "token", IN_FLIGHT)


async def _at_rest(place: Place, before: State, ended: float) -> State:
    """When the provider has answered, and its connections are closed, or not in time."""

    def rested() -> bool:
        files = place.open_files("token")
        return place.consumed() >= ended and files <= before.files + _FEW

    with suppress(TimeoutError):
        await _until(rested)
    return await _state(place)


async def _state(place: Place) -> State:
    return await asyncio.to_thread(state_of, place, len(asyncio.all_tasks()))


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, condition, _PATIENCE_SECONDS)

"""Start, serve and drain, in this process and as processes."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import grpc
import httpx
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2, health_pb2_grpc
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from leaky.common.v1.reason_pb2 import REASON_UNAVAILABLE
from mesh.errors import AppError
from mesh.rpc.grpc_channel import GrpcChannel
from mesh.rpc.server import PortTakenError
from mesh.runtime import running
from mesh.settings.source import SettingsError
from tests.mesh.pki.office import Office
from tests.mesh.rpc.mux.peer import Peer
from tests.mesh.rpc.serving import CREDENTIALS, STATUS
from tests.mesh.running import Little
from tests.ports import free_port

pytestmark = pytest.mark.anyio
PATIENCE = 30.0
# For whole processes, which a busy machine takes long to start.
LONG = 60.0
# How long a start without svc_auth would take if nothing ended it.
WAITS_FOR_AUTH = {"LEAKY_MESH_AUTH_WAIT": "600s"}


def is_free(port: int) -> bool:
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


async def health(port: int) -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = health_pb2.HealthCheckRequest()
        answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE)
    status: int = answer.status
    return status


async def get(port: int, path: str = "/") -> str:
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE) as client:
        return (await client.get(f"http://127.0.0.1:{port}{path}")).text


async def test_a_service_is_served_on_all_its_ports_and_leaves_them(tmp_path: Path) -> None:
    little = Little(data=tmp_path, http_ports=[free_port(), free_port()])
    async with running(little.service, little.settings()):
        channel = GrpcChannel(f"127.0.0.1:{little.grpc_port}")
        assert await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert [await get(port) for port in little.http_ports] == ["hello", "hello"]
        assert await health(little.grpc_port) == health_pb2.HealthCheckResponse.SERVING
        await channel.close()
    assert little.closed
    assert all(map(is_free, (little.grpc_port, *little.http_ports)))


async def test_a_stream_of_calls_is_offered_what_the_service_admits(tmp_path: Path) -> None:
    little = Little(data=tmp_path)
    settings = little.settings()
    async with running(little.service, settings):
        peer = Peer(little.grpc_port)
        assert (await peer.receive()).window == settings.current.mesh.max_in_flight
        assert settings.apply({"mesh.max-in-flight": "2"})
        assert (await peer.receive()).window == 2
        await peer.close()


def secure(data: Path, health_port: int) -> dict[str, str]:
    """The environment of `secure`, with a certificate in the data folder."""
    Office(data / "pki" / "leaves").issue("auth")
    return {"LEAKY_PROFILE": "secure", "LEAKY_AUTH_HEALTH_PORT": str(health_port)}


async def test_in_secure_health_alone_is_told_without_a_certificate(tmp_path: Path) -> None:
    port = free_port()
    little = Little(data=tmp_path, env=secure(tmp_path, port))
    async with running(little.service, little.settings()):
        assert await health(port) == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError):
            await health(little.grpc_port)
        stranger = GrpcChannel(f"127.0.0.1:{little.grpc_port}")
        with pytest.raises(AppError) as refused:
            await stranger.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        assert refused.value.reason == REASON_UNAVAILABLE
        await stranger.close()


async def test_in_secure_a_new_certificate_is_shown_without_a_restart(tmp_path: Path) -> None:
    """By the server, and to itself as to others: its callers believe the new root alone."""
    little = Little(data=tmp_path, env=secure(tmp_path, free_port()))
    async with running(little.service, little.settings()):
        office = Office(tmp_path / "pki" / "leaves")
        transport = office.transport("gateway")
        channel = GrpcChannel(f"127.0.0.1:{little.grpc_port}", service="auth", transport=transport)
        with pytest.raises(AppError):
            await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        office.issue("auth")
        async with asyncio.timeout(PATIENCE):
            await channel.connected()
        assert await channel.unary(STATUS, STATUS.request(), timeout=PATIENCE)
        await channel.close()


async def test_in_secure_nothing_starts_without_a_certificate(tmp_path: Path) -> None:
    little = Little(data=tmp_path, env={"LEAKY_PROFILE": "secure"})
    with pytest.raises(SettingsError, match=r"is not there; leaky pki issue auth makes one"):
        await enter(little)
    assert not little.opened


@pytest.mark.parametrize("which", ["grpc", "http", "health"])
async def test_a_start_that_fails_halfway_closes_what_it_opened(tmp_path: Path, which: str) -> None:
    taken, ended = free_port(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    little = Little(data=tmp_path, workers=[work])
    if which == "grpc":
        little.grpc_port = taken
    elif which == "http":
        little.http_ports = [free_port(), taken]
    else:
        little.env = secure(tmp_path, taken)
    named = pytest.raises(PortTakenError, match=f"127.0.0.1:{taken}")
    with socket.create_server(("127.0.0.1", taken)), named:
        await enter(little)
    assert little.opened
    assert little.closed
    assert ended.is_set()
    assert all(map(is_free, (little.grpc_port, *little.http_ports)))


async def enter(little: Little) -> None:
    async with running(little.service, little.settings()):
        pytest.fail("it started")


async def test_a_servicer_that_cannot_be_served_closes_what_was_opened(tmp_path: Path) -> None:
    class Half:
        SERVICE: ClassVar[ServiceDescriptor] = CREDENTIALS

    little = Little(data=tmp_path, servicers=[Half()])
    with pytest.raises(TypeError, match="has no coroutine"):
        await enter(little)
    assert little.closed


async def test_a_worker_that_fails_ends_the_service_with_its_error(tmp_path: Path) -> None:
    fail = asyncio.Event()

    async def work() -> None:
        await fail.wait()
        raise ZeroDivisionError("in a worker")

    little = Little(data=tmp_path, workers=[work])
    with capture_logs() as logs, pytest.raises(ZeroDivisionError, match="in a worker"):
        async with asyncio.timeout(PATIENCE):
            await until_failure(little, fail)
    assert [log["event"] for log in logs if log["log_level"] == "error"] == [
        "a worker failed, the service stops"
    ]
    assert little.closed
    assert is_free(little.grpc_port)


async def until_failure(little: Little, fail: asyncio.Event) -> None:
    async with running(little.service, little.settings()):
        fail.set()
        await asyncio.Event().wait()


async def test_a_worker_that_fails_during_the_start_ends_the_start(tmp_path: Path) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    # Nobody answers for svc_auth, so that the start would wait for long.
    little = Little(data=tmp_path, workers=[work], servicers=[], env=WAITS_FOR_AUTH)
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(LONG):
            await enter(little)
    assert little.closed


async def test_a_worker_that_ends_by_itself_has_failed(tmp_path: Path) -> None:
    async def work() -> None:
        return

    with pytest.raises(RuntimeError, match="ended by itself"):
        await until_failure(Little(data=tmp_path, workers=[work]), asyncio.Event())


async def test_a_drain_is_not_cut_short_by_a_worker_that_fails_during_it(tmp_path: Path) -> None:
    begun, finish, fail = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(_request: Any) -> PlainTextResponse:
        begun.set()
        await finish.wait()
        return PlainTextResponse("finished")

    async def work() -> None:
        await fail.wait()
        asyncio.get_running_loop().call_soon(finish.set)
        raise ZeroDivisionError

    little = Little(data=tmp_path, workers=[work], routes=[Route("/", slow)])
    answers: list[asyncio.Future[str]] = []

    async def serve() -> None:
        async with running(little.service, little.settings()):
            answers.append(asyncio.ensure_future(get(little.http_ports[0])))
            await begun.wait()
            asyncio.get_running_loop().call_soon(fail.set)

    with pytest.raises(ZeroDivisionError):
        await serve()
    assert await answers[0] == "finished"


async def test_all_ports_drain_at_once(tmp_path: Path) -> None:
    begun, finish = asyncio.Semaphore(0), asyncio.Event()

    async def slow(_request: Any) -> PlainTextResponse:
        begun.release()
        await finish.wait()
        return PlainTextResponse("finished")

    async def slow_call(_request: Any, _call: Any) -> Any:
        begun.release()
        await finish.wait()
        return STATUS.response(version="finished")

    little = Little(
        data=tmp_path,
        http_ports=[free_port(), free_port()],
        routes=[Route("/", slow)],
        handlers={"get_status": slow_call},
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(little.service, little.settings()))
        channel = GrpcChannel(f"127.0.0.1:{little.grpc_port}")
        pages = [asyncio.ensure_future(get(port)) for port in little.http_ports]
        call = asyncio.ensure_future(channel.unary(STATUS, STATUS.request(), timeout=PATIENCE))
        for _ in range(3):
            await begun.acquire()
        draining = asyncio.ensure_future(all_closed(little))
        draining.add_done_callback(lambda _: finish.set())
        # Leaving the stack drains, with all three still waiting for `finish`.
        await stack.aclose()
    assert [await page for page in pages] == ["finished", "finished"]
    assert (await call).version == "finished"
    assert draining.done()
    await channel.close()


async def all_closed(little: Little) -> None:
    """Returns when none of the ports takes connections any more."""
    async with asyncio.timeout(PATIENCE):
        for port in (*little.http_ports, little.grpc_port):
            await refused(port)


async def refused(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return
        writer.close()
        await asyncio.sleep(0.01)


PROGRAM = f"""
import asyncio, sys
from pathlib import Path
from mesh import runtime
from tests.mesh.running import Little, credentials

async def stuck():
    await asyncio.Event().wait()

async def fails():
    while not Path(sys.argv[1], "fail").exists():
        await asyncio.sleep(0.01)
    raise ZeroDivisionError("in a worker")

async def ready():
    print("begun", flush=True)
    await stuck()

waiting = sys.argv[2] == "waiting"
little = Little(
    data=Path(sys.argv[1]),
    workers=[ready, fails],
    servicers=[] if waiting else [credentials()],
    env={WAITS_FOR_AUTH} if waiting else {{}},
)
asyncio.run(runtime.serve(little.service, little.settings()))
print("closed" if little.closed else "left open", flush=True)
"""
Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path, request: pytest.FixtureRequest) -> Start:
    def started(kind: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(  # noqa: S603 our own program
            [sys.executable, "-c", PROGRAM, str(tmp_path), kind],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        request.addfinalizer(process.kill)
        return process

    return started


def lines_until(process: "subprocess.Popen[str]", said: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if said in line:
            return
    pytest.fail(f"it never said {said}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_a_process_that_serves(start: Start, number: signal.Signals) -> None:
    process = start("serving")
    lines_until(process, '"serving"')
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out.split()) == (0, ["begun", "closed"])
    assert "draining" in err


def test_sigterm_ends_a_process_that_has_not_started_yet(start: Start) -> None:
    process = start("waiting")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.terminate()
    # Well before it would have given up waiting for svc_auth.
    out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (0, "closed\n")
    assert "stopped while starting" in err


def test_a_worker_that_fails_ends_the_process_with_an_error(start: Start, tmp_path: Path) -> None:
    process = start("serving")
    lines_until(process, '"serving"')
    (tmp_path / "fail").touch()
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert "a worker failed, the service stops" in err
    assert err.rstrip().endswith("ZeroDivisionError: in a worker")

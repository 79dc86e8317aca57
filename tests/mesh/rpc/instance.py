"""An instance as a process of its own that can be killed: `python -m ... PORT`.

Its calls take some milliseconds; GetStatus answers the port as version.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mesh.rpc.dispatcher import Dispatcher
from mesh.rpc.interceptors.errors import map_errors
from mesh.rpc.server import Server
from mesh.rpc.transport import Options, Plaintext
from tests.mesh.rpc.serving import CREATE, STATUS, quotas

WORK_SECONDS = 0.005


class Pinged(Plaintext):
    """Puts up with callers that ask ten times a second whether it is there."""

    server_options: Options = (("grpc.http2.min_ping_interval_without_data_ms", 50),)


async def _serve(port: int) -> None:
    async def status(_request: Any, _call: Any) -> Any:
        await asyncio.sleep(WORK_SECONDS)
        return STATUS.response(version=str(port))

    async def create(_request: Any, _call: Any) -> Any:
        await asyncio.sleep(WORK_SECONDS)
        return CREATE.response()

    dispatcher = Dispatcher([map_errors])
    dispatcher.add(quotas(get_status=status, create_org_quota=create))
    server = Server(dispatcher, Pinged())
    await server.start(f"127.0.0.1:{port}")
    print("serving", flush=True)  # noqa: T201 the test waits for it
    await asyncio.Event().wait()


@contextmanager
def instance(port: int) -> "Iterator[subprocess.Popen[str]]":
    """A process that serves, until it or the block ends."""
    process = subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, "-m", "tests.mesh.rpc.instance", str(port)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        try:
            yield process
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))

"""A service as a child process that may be armed, killed, stopped and started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mesh.failpoints import VARIABLE
from tests.faults.watch import Watch

# On a machine that is busy with other tests.
START_SECONDS = 180.0
# Starting is nearly all work: more at once are only later, all of them.
STARTING = asyncio.Semaphore(2)
# Beyond its own drain.
END_SECONDS = 20.0


class Child:
    """`leaky serve NAME`; the log of all its lives is one file."""

    def __init__(
        self,
        name: str,
        env: Mapping[str, str],
        port: int,
        log: Path,
        watch: Watch | None = None,
    ) -> None:
        self.name = name
        self.port = port
        self.log = log
        self.kills = 0
        self._env = env
        self._watch = watch
        self._armed = False
        # It takes calls, and does so until something is done to it.
        self._serves = False
        self._process: asyncio.subprocess.Process | None = None

    @property
    def target(self) -> str:
        """Where its gRPC is."""
        return f"127.0.0.1:{self.port}"

    @property
    def runs(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self, failpoints: str = "") -> None:
        """Begins; it is not ready yet."""
        assert not self.runs
        known = {name: text for name, text in os.environ.items() if not name.startswith("LEAKY_")}
        env = {**known, **self._env}
        # Its compiled modules are kept: a start is nearly twice as fast with them.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        self._armed, self._serves = bool(failpoints), False
        if failpoints:
            env[VARIABLE] = failpoints
        with self.log.open("ab") as log:
            log.write(f"--- {self.name} {failpoints}\n".encode())
            log.flush()
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "mesh.cli", "serve", self.name.partition(".")[0]),
                env=env,
                stdout=log,
                stderr=log,
            )

    async def started(self, failpoints: str = "") -> bool:
        """Begins, and returns once it takes calls; False when it ended before."""
        async with STARTING:
            await self.start(failpoints)
            return await self.ready()

    async def ready(self) -> bool:
        """Returns once it takes calls; False when it ended before."""
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        async with grpc.aio.insecure_channel(self.target) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            while self.runs:
                with suppress(grpc.aio.AioRpcError):
                    answer = await check(health_pb2.HealthCheckRequest(), timeout=1)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        self._serves = not self._armed
                        self._tell(up=self._serves)
                        return True
                if asyncio.get_running_loop().time() > deadline:
                    message = f"{self.name} is not ready, see {self.log}"
                    raise RuntimeError(message)
                await asyncio.sleep(0.05)
        return False

    async def killed(self, seconds: float) -> bool:
        """Whether it has died by SIGKILL within a time; of its own failpoint, when nobody else."""
        assert self._process is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                died = await self._process.wait() == -signal.SIGKILL
                self.kills += died
                return died
        return False

    def send(self, what: signal.Signals) -> None:
        """A signal to this process alone; to one that has ended, none."""
        self._serves = self._serves and self.runs and what in {signal.SIGSTOP, signal.SIGCONT}
        self._tell(up=self._serves and what is signal.SIGCONT)
        if self.runs:
            assert self._process is not None
            with suppress(ProcessLookupError):
                self._process.send_signal(what)

    def _tell(self, *, up: bool) -> None:
        if self._watch is not None:
            (self._watch.up if up else self._watch.down)(self.name)

    async def kill(self) -> None:
        """kill -9, and gone."""
        if self.runs:
            self.send(signal.SIGKILL)
            await self.killed(END_SECONDS)

    async def end(self) -> None:
        """A drain; what does not end is killed."""
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        if self._process is not None:
            try:
                async with asyncio.timeout(END_SECONDS):
                    await self._process.wait()
            except TimeoutError:
                await self.kill()

"""A small service as a process of its own, registered in Consul as svc_auth would be.

`python -m tests.full.consul.instance DATA PORT`; the rest is in the environment.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mesh import runtime
from tests.mesh.rpc.serving import STATUS
from tests.mesh.running import Little

ROOT = Path(__file__).parents[3]
WORK_SECONDS = 0.005
PATIENCE_SECONDS = 60.0


@dataclass(kw_only=True)
class Instance:
    """One such process; it may be killed, and started again on its port."""

    data: Path
    port: int
    env: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    @property
    def address(self) -> str:
        """Where callers reach it."""
        return f"127.0.0.1:{self.port}"

    @property
    def id(self) -> str:
        """What Consul calls it."""
        return f"auth-127.0.0.1-{self.port}"

    def start(self) -> None:
        """Starts it; it is there once Consul or a caller has found it."""
        self.data.mkdir(exist_ok=True)
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 our own program
                [sys.executable, "-m", __name__, str(self.data), str(self.port)],
                env={**os.environ, **self.env},
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )

    def kill(self) -> None:
        """Ends it without a word."""
        self._end(signal.SIGKILL)

    def drain(self) -> int:
        """Ends it in order; its exit code."""
        return self._end(signal.SIGTERM)

    def ask_to_drain(self) -> None:
        """Begins to end it in order."""
        assert self.process is not None
        self.process.terminate()

    def _end(self, number: signal.Signals) -> int:
        if self.process is None:
            return 0
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    @property
    def said(self) -> list[str]:
        """Its log since it was started."""
        return self._log.read_text().splitlines()

    @property
    def _log(self) -> Path:
        return self.data.with_suffix(".log")


async def _serve(data: Path, port: int) -> None:
    async def status(_request: Any, _call: Any) -> Any:
        await asyncio.sleep(WORK_SECONDS)
        return STATUS.response(version=f"127.0.0.1:{port}")

    little = Little(
        data=data, grpc_port=port, handlers={"get_status": status}, env=dict(os.environ)
    )
    await runtime.serve(little.service, little.settings())


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))

"""Looks at the system again and again."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx

from mesh.cli.refusal import RefusedError
from mesh.cli.top.frame import Frame
from mesh.cli.top.look import Look
from mesh.cli.top.scrape import TIMEOUT_SECONDS, scrape
from mesh.cli.top.target import Registry, RegistryAwayError, Target


class Watch:
    """Frames, one an interval; the bearer opens /metrics where it is closed."""

    def __init__(self, registry: Registry, bearer: str, interval: float) -> None:
        self._registry, self._bearer, self._interval = registry, bearer, interval
        self._targets: list[Target] = []
        self._look = Look()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """The first has no rates yet. Raises RefusedError when nobody says who is where."""
        headers = {"authorization": f"Bearer {self._bearer}"} if self._bearer else {}
        async with httpx.AsyncClient(
            timeout=TIMEOUT_SECONDS, headers=headers, trust_env=False
        ) as client:
            loop = asyncio.get_running_loop()
            while True:
                begun = loop.time()
                yield await self._frame(client)
                await asyncio.sleep(max(0.0, begun + self._interval - loop.time()))

    async def _frame(self, client: httpx.AsyncClient) -> Frame:
        problems = []
        try:
            self._targets = await self._registry.targets()
        except RegistryAwayError as error:
            if not self._targets:
                raise RefusedError(str(error)) from error
            problems.append(f"{error}; these were the instances before")
        at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return self._look.frame(await scrape(client, self._targets), at=at, problems=problems)

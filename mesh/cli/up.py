"""`leaky up`: the whole system, as one."""

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli import options
from mesh.cli.catalogue import Catalogue
from mesh.cli.certificates import given
from mesh.cli.child import Program
from mesh.cli.data import LOCK, environment, held, private_folder, service_locks, wait_until_free
from mesh.cli.endpoints import Endpoint, check_ports
from mesh.cli.forks import Forks
from mesh.cli.health import healthy
from mesh.cli.instances import MOST, Instance, counts, plan, workers_env
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import Screen
from mesh.cli.serve import serve_forked
from mesh.cli.services import NAMES, settings_models
from mesh.cli.state import write_state
from mesh.cli.supervisor import Supervisor
from mesh.identity.profile import Profile
from mesh.settings import Live, MeshSettings
from mesh.settings.names import env_name
from mesh.settings.source import read_file
from mesh.telemetry.logs import CONSOLE

LEFTOVER_SECONDS = 20.0
FIRST_CALL = "/api/v1/tokens/status"


def up(
    data: options.Data = None,
    profile: Annotated[
        Profile | None, typer.Option(help="How strictly callers are checked.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting for this run; repeatable."),
    ] = None,
    instances: Annotated[
        list[str] | None,
        typer.Option(metavar="SERVICE=NUMBER", help="So many processes of it; repeatable."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, max=MOST, help="So many gateways on the one REST port."),
    ] = None,
) -> None:
    """Start all services, follow their logs, and drain them on Ctrl-C."""
    started = time.monotonic()
    gateways = [] if workers is None else [f"gateway={workers}"]
    wanted = counts([*(instances or []), *gateways])
    env = _environment(data, profile, settings or [])
    current = Live.read(MeshSettings, env).current
    folder = private_folder(current.data)
    with held(folder / LOCK, "leaky up"):
        _wait_for_leftovers(folder)
        env["LEAKY_DATA"] = str(folder)
        if workers is not None and workers > 1:
            env.update(workers_env(env, folder))
        planned = plan(current, env, wanted)
        # None of ours listens yet, so a port that ours will share is nobody's.
        check_ports(replace(port, shared=False) for each in planned for port in each.endpoint.ports)
        asyncio.run(_Up(folder, planned, env, started, current).run())


def _environment(
    data: Path | None, profile: Profile | None, settings: Sequence[str]
) -> dict[str, str]:
    env = environment(data)
    if profile is not None:
        env["LEAKY_PROFILE"] = profile
    if settings:
        catalogue = Catalogue(settings_models())
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not equals:
                raise RefusedError(f"--set takes NAME=VALUE, not {setting}", code=USAGE)
            catalogue.find(name)
            env[env_name(name)] = value
        current = Live.read(MeshSettings, env).current
        catalogue.check(env, {} if current.uses_consul else read_file(current.data))
    return env


def _wait_for_leftovers(folder: Path) -> None:
    """Services of a run that was killed end by themselves; until then they hold ports and data."""
    left = wait_until_free(service_locks(folder, NAMES), LEFTOVER_SECONDS)
    if left:
        named = ", ".join(f"{lock.stem} (pid {pid})" for lock, pid in left.items())
        raise RefusedError(f"still running on {folder}: {named}")


class _Up:
    """One run, from the first process to the last."""

    def __init__(
        self,
        folder: Path,
        planned: Sequence[Instance],
        env: Mapping[str, str],
        started: float,
        settings: MeshSettings,
    ) -> None:
        self._endpoints = [each.endpoint for each in planned]
        self._started, self._env = started, env
        self._screen = Screen([each.name for each in self._endpoints])
        self._pids: Mapping[str, int | None] = {}
        self._folder = folder
        self._settings = settings
        self._forks = Forks("mesh.cli.preload")
        shown = {CONSOLE: "1"} if self._screen.terminal else {}
        self._supervisor = Supervisor(
            [_program(each) for each in planned],
            forks=self._forks,
            env={**env, **shown},
            say=self._screen.say,
            tell=self._screen.tell,
            changed=self._changed,
            drain_seconds=settings.mesh.drain_grace + 5.0,
        )

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._signalled, number)
        self._screen.tell(f"starting on {self._folder}")
        await self._forks.ready()
        names = [each.name for each in self._endpoints]
        async with given(self._settings, names, self._screen.tell):
            await self._supervisor.run(self._ready)
        self._screen.tell("all ended")

    def _signalled(self, number: signal.Signals) -> None:
        if not self._supervisor.stopping:
            self._screen.tell("draining; Ctrl-C ends it at once")
            self._supervisor.stop()
        elif number is signal.SIGINT:
            # Of the others a second comes by itself: to a group, and from a script in it.
            self._supervisor.kill()

    def _changed(self, pids: Mapping[str, int | None]) -> None:
        self._pids = pids
        write_state(self._folder, self._endpoints, pids, self._env)

    def _ready(self) -> None:
        self._screen.table(
            ("service", "REST", "gRPC", "pid"),
            [(*addresses(each), str(self._pids[each.name])) for each in self._endpoints],
        )
        edge = f"http://{self._endpoints[0].host}:{self._endpoints[0].http[0].number}"
        seconds = time.monotonic() - self._started
        self._screen.tell(f"ready in {seconds:.1f} s; try: curl {edge}{FIRST_CALL}")
        self._screen.tell(f"all calls: {edge}/swagger-ui.html")


def _program(each: Instance) -> Program:
    where = each.endpoint
    return Program(
        name=where.name,
        run=partial(serve_forked, where.service),
        healthy=partial(healthy, where),
        env=each.env,
        group=where.service,
    )


def addresses(each: Endpoint) -> tuple[str, str, str]:
    """The process's name, its REST addresses and its gRPC address."""
    http = " ".join(f"http://{each.host}:{port.number}" for port in each.http)
    return each.name, http, f"{each.host}:{each.grpc.number}"

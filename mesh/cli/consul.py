"""`leaky consul`: makes a Consul ready for the services."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesh.cli import options
from mesh.cli.catalogue import Catalogue
from mesh.cli.data import environment
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.services import NAMES, settings_models
from mesh.private_file import write_private
from mesh.settings import MeshSettings
from mesh.settings.names import env_name
from mesh.settings.remote import SourceAwayError, admitted
from mesh.settings.source import load

if TYPE_CHECKING:
    from mesh.consul.plan import Plan

app = typer.Typer(help="Make a Consul ready for the services.", no_args_is_help=True)


@app.command()
def bootstrap(
    token_file: Annotated[
        Path, typer.Option("--token-file", metavar="FILE", help="A management token.")
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the services' tokens are written.")
    ],
    folder: Annotated[
        Path, typer.Option("--folder", metavar="DIR", help="Policies, config entries and seed.")
    ] = Path("consul"),
    registry: Annotated[
        str | None, typer.Option(metavar="URL", help="consul://HOST:PORT; else LEAKY_REGISTRY.")
    ] = None,
    data: options.Data = None,
) -> None:
    """Put policies, tokens, config entries and first settings; again, only what differs."""
    # py-consul comes with it, which is much to import.
    from mesh.consul.plan import PlanError, read_plan  # noqa: PLC0415
    from mesh.consul.token import read_token  # noqa: PLC0415

    start = _start(registry, data)
    try:
        plan = read_plan(folder)
    except PlanError as error:
        raise RefusedError(str(error), code=USAGE) from error
    _check(plan.seed)
    changes = _Changes()
    secrets = asyncio.run(_bootstrap(start, read_token(token_file), plan, changes))
    _keep(secrets, out, changes)
    if not changes.any:
        typer.echo("nothing to change")


@app.command()
def targets(
    token_file: Annotated[
        Path, typer.Option("--token-file", metavar="FILE", help="Prometheus' token.")
    ],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where Prometheus asks for them.")
    ] = "127.0.0.1:9190",
    registry: Annotated[
        str | None, typer.Option(metavar="URL", help="consul://HOST:PORT; else LEAKY_REGISTRY.")
    ] = None,
    data: options.Data = None,
) -> None:
    """Tell Prometheus whom to ask for metrics, at /targets, until it is ended."""
    from mesh.cli import targets as serving  # noqa: PLC0415 much to import
    from mesh.consul.token import read_token  # noqa: PLC0415

    serving.run(_start(registry, data), read_token(token_file), listen)


@app.command("env")
def variables(
    tokens: Annotated[
        Path, typer.Option("--tokens", metavar="DIR", help="What --out of bootstrap was.")
    ],
) -> None:
    """Print the variables that give each service its token, without a secret in them."""
    from mesh.consul.token import token_file  # noqa: PLC0415

    for name in NAMES:
        file = token_file(tokens.absolute(), name)
        typer.echo(f"{env_name(f'{name}.consul-token-file')}={file}")


def _start(registry: str | None, data: Path | None) -> MeshSettings:
    env = environment(data)
    if registry:
        env[env_name("registry")] = registry
    start = load(MeshSettings, env, {})
    if not start.uses_consul:
        raise RefusedError("no Consul is named; give --registry consul://HOST:PORT", code=USAGE)
    return start


class _Changes:
    def __init__(self) -> None:
        self.any = False

    def tell(self, line: str) -> None:
        self.any = True
        typer.echo(line)


def _check(seed: Mapping[str, Mapping[str, str]]) -> None:
    """Raises SettingsError and RefusedError for a seed that services would refuse."""
    catalogue = Catalogue(settings_models())
    for service, values in seed.items():
        if service not in NAMES:
            raise RefusedError(f"the seed is for {service}, which is no service", code=USAGE)
        _known, strangers = admitted(catalogue.names(service), values)
        if strangers:
            message = f"the seed has {', '.join(strangers)}, which {service} does not know"
            raise RefusedError(message, code=USAGE)
        catalogue.check_one(service, {}, values)


async def _bootstrap(
    start: MeshSettings, token: str, plan: "Plan", changes: _Changes
) -> Mapping[str, str]:
    from mesh.consul.bootstrap import Bootstrap  # noqa: PLC0415 py-consul comes with it
    from mesh.consul.client import FAILURES, opened, told  # noqa: PLC0415
    from mesh.consul.kv import ForbiddenError  # noqa: PLC0415

    async with opened(start, NAMES[0], token=token) as client:
        try:
            return await Bootstrap(client, changes.tell).run(plan)
        except (*FAILURES, ForbiddenError, SourceAwayError) as error:
            raise RefusedError(f"Consul: {told(error)}") from error


def _keep(secrets: Mapping[str, str], folder: Path, changes: _Changes) -> None:
    from mesh.consul.token import token_file  # noqa: PLC0415

    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for holder, secret in secrets.items():
        file = token_file(folder, holder)
        file.parent.mkdir(exist_ok=True, mode=0o700)
        if not file.exists() or file.read_text() != secret or file.stat().st_mode & 0o077:
            write_private(file, secret)
            changes.tell(f"{file} is written")

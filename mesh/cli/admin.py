"""`leaky admin`: what no caller over the network may do."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, get_type_hints

import typer

from mesh.cli import admin_oauth2, options
from mesh.cli.data import environment, private_folder
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.services import entry, settings_models
from mesh.errors import AppError
from mesh.settings import Live, MeshSettings
from mesh.storage.schema import WrongDataError
from mesh.telemetry import logs

app = typer.Typer(
    help="Make the first administrator, register clients, rotate keys.", no_args_is_help=True
)
app.add_typer(admin_oauth2.clients, name="client")
app.add_typer(admin_oauth2.keys, name="keys")


@app.callback()
def group() -> None:
    """Make the first administrator, register clients, rotate keys."""


@app.command()
def create(
    username: Annotated[str, typer.Option(help="The name to log in with.")],
    email: Annotated[str, typer.Option(help="Its address.")],
    *,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin.")
    ] = False,
    data: options.Data = None,
) -> None:
    """Make an ADMIN; the password is asked for, and is never an argument."""
    make = entry("leaky.admin", "create").load()
    settings: MeshSettings = _settings(_model(make), environment(data))
    logs.configure("admin", "warning")
    private_folder(settings.data)
    password = _password(from_stdin=password_stdin)
    user_id = asyncio.run(_create(make, settings, username, email, password))
    typer.echo(f"{username} is an ADMIN, userId {user_id}")


async def _create(
    make: Callable[..., Awaitable[str]],
    settings: MeshSettings,
    username: str,
    email: str,
    password: str,
) -> str:
    try:
        return await make(settings, username=username, email=email, password=password)
    except (AppError, WrongDataError) as error:
        raise RefusedError(str(error)) from error


def _model(make: Callable[..., Any]) -> type[MeshSettings]:
    """The settings that it takes, as its annotations say."""
    model: type[MeshSettings] = get_type_hints(make)["settings"]
    return model


def _settings(model: type[MeshSettings], env: Mapping[str, str]) -> MeshSettings:
    service = next(name for name, known in settings_models().items() if known is model)
    return Live.read(model, env, service).current


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        message = "no terminal to ask on; give the password with --password-stdin"
        raise RefusedError(message, code=USAGE)
    if not password:
        message = "the password is empty"
        raise RefusedError(message, code=USAGE)
    return password

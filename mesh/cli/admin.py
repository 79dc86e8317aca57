"""`leaky admin`: users, by who has the machine, whether or not the service is up."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import typer

from mesh.cli import admin_oauth2, options
from mesh.cli.data import environment, private_folder
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table
from mesh.cli.services import entry, settings_models
from mesh.errors import AppError
from mesh.settings import Live, MeshSettings
from mesh.storage.registry import UnknownSchemeError
from mesh.storage.schema import WrongDataError
from mesh.telemetry import logs

T = TypeVar("T")
app = typer.Typer(
    help="Make the first administrator, look after users, register clients, rotate keys.",
    no_args_is_help=True,
)
app.add_typer(admin_oauth2.clients, name="client")
app.add_typer(admin_oauth2.keys, name="keys")
User = Annotated[str, typer.Argument(metavar="USER", help="The user's name, or its id.")]
Role = Annotated[str, typer.Argument(metavar="ROLE", help="Such as ADMIN.")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from stdin.")
]


@app.command()
def create(
    username: Annotated[str, typer.Option(help="The name to log in with.")],
    email: Annotated[str, typer.Option(help="Its address.")],
    *,
    password_stdin: PasswordStdin = False,
    data: options.Data = None,
) -> None:
    """Make an ADMIN; the password is asked for, and is never an argument."""
    make, settings = _opened("create", data)
    password = _password(from_stdin=password_stdin)
    user_id = _run(make(settings, username=username, email=email, password=password))
    typer.echo(f"{username} is an ADMIN, userId {user_id}")


@app.command("list")
def list_users(*, data: options.Data = None) -> None:
    """List all users."""
    users, settings = _opened("list", data)

    async def rows() -> list[Sequence[str]]:
        return [row async for row in users(settings)]

    print_table(("userId", "name", "address", "roles", ""), _run(rows()))


@app.command()
def disable(user: User, *, data: options.Data = None) -> None:
    """End all that a user holds, at once, until it is enabled again."""
    change, settings = _opened("disable", data)
    _run(change(settings, user=user))
    typer.echo(f"{user} is disabled")


@app.command()
def enable(user: User, *, data: options.Data = None) -> None:
    """Let a user in again."""
    change, settings = _opened("enable", data)
    _run(change(settings, user=user))
    typer.echo(f"{user} is enabled")


@app.command()
def grant(user: User, role: Role, *, data: options.Data = None) -> None:
    """Give a user a role, which its next login has."""
    change, settings = _opened("grant", data)
    _run(change(settings, user=user, role=role))
    typer.echo(f"{user} is {role}")


@app.command()
def revoke(user: User, role: Role, *, data: options.Data = None) -> None:
    """Take a role from a user, and end its sessions."""
    change, settings = _opened("revoke", data)
    _run(change(settings, user=user, role=role))
    typer.echo(f"{user} is {role} no longer")


@app.command()
def password(
    user: User, *, password_stdin: PasswordStdin = False, data: options.Data = None
) -> None:
    """Give a user another password, and end its sessions."""
    change, settings = _opened("password", data)
    _run(change(settings, user=user, password=_password(from_stdin=password_stdin)))
    typer.echo(f"{user} has another password")


def _opened(name: str, data: Path | None) -> tuple[Callable[..., Any], MeshSettings]:
    """What the command runs, and what that is told."""
    found = entry("leaky.admin", name).load()
    settings: MeshSettings = _settings(_model(found), environment(data))
    logs.configure("admin", "warning")
    private_folder(settings.data)
    return found, settings


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except (AppError, WrongDataError, UnknownSchemeError) as error:
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

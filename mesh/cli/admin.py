"""`leaky admin`: users, by who has the machine, whether or not the service is up."""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from mesh.cli import admin_oauth2, options
from mesh.cli.admin_work import done, opened
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.screen import print_table

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
    make, settings = opened("create", data)
    password = _password(from_stdin=password_stdin)
    user_id = done(make(settings, username=username, email=email, password=password))
    typer.echo(f"{username} is an ADMIN, userId {user_id}")


@app.command("list")
def list_users(*, data: options.Data = None) -> None:
    """List all users."""
    users, settings = opened("list", data)

    async def rows() -> list[Sequence[str]]:
        return [row async for row in users(settings)]

    print_table(("userId", "name", "address", "roles", ""), done(rows()))


@app.command()
def disable(user: User, *, data: options.Data = None) -> None:
    """End all that a user holds, at once, until it is enabled again."""
    change, settings = opened("disable", data)
    done(change(settings, user=user))
    typer.echo(f"{user} is disabled")


@app.command()
def enable(user: User, *, data: options.Data = None) -> None:
    """Let a user in again."""
    change, settings = opened("enable", data)
    done(change(settings, user=user))
    typer.echo(f"{user} is enabled")


@app.command()
def grant(user: User, role: Role, *, data: options.Data = None) -> None:
    """Give a user a role, which its next login has."""
    change, settings = opened("grant", data)
    done(change(settings, user=user, role=role))
    typer.echo(f"{user} is {role}")


@app.command()
def revoke(user: User, role: Role, *, data: options.Data = None) -> None:
    """Take a role from a user, and end its sessions."""
    change, settings = opened("revoke", data)
    done(change(settings, user=user, role=role))
    typer.echo(f"{user} is {role} no longer")


@app.command()
def password(
    user: User, *, password_stdin: PasswordStdin = False, data: options.Data = None
) -> None:
    """Give a user another password, and end its sessions."""
    change, settings = opened("password", data)
    done(change(settings, user=user, password=_password(from_stdin=password_stdin)))
    typer.echo(f"{user} has another password")


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

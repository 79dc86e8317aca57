"""`leaky admin client` and `leaky admin keys`: OAuth2's clients, and the keys that sign tokens."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from mesh.cli import options
from mesh.cli.admin_work import done, opened

clients = typer.Typer(help="Register applications that log users in.", no_args_is_help=True)
keys = typer.Typer(help="Rotate the keys that tokens are signed with.", no_args_is_help=True)
ClientId = Annotated[str, typer.Argument(help="The client's id.", metavar="CLIENT_ID")]


@clients.command("create")
def create(
    name: Annotated[str, typer.Option(help="What users are shown.")],
    scope: Annotated[list[str], typer.Option(help="What it may be allowed; repeat for more.")],
    client_id: Annotated[str, typer.Option("--id", help="Its id; one is made when empty.")] = "",
    redirect_uri: Annotated[
        list[str] | None, typer.Option(help="Where codes may be sent; repeat for more.")
    ] = None,
    grant_type: Annotated[
        list[str] | None, typer.Option(help="authorization_code when not given; repeat for more.")
    ] = None,
    *,
    post_logout_redirect_uri: Annotated[
        list[str] | None,
        typer.Option(help="Where browsers may be sent after a logout; repeat for more."),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="It can keep no secret.")] = False,
    no_pkce: Annotated[
        bool, typer.Option("--no-pkce", help="It may do without PKCE; never a public one.")
    ] = False,
    data: options.Data = None,
) -> None:
    """Register a client; its secret is printed this once."""
    made_id, secret = _run(
        "client-create",
        data,
        client_id=client_id,
        name=name,
        public=public,
        redirect_uris=redirect_uri or (),
        scopes=scope,
        grant_types=grant_type or (),
        require_pkce=not no_pkce,
        post_logout_redirect_uris=post_logout_redirect_uri or (),
    )
    typer.echo(f"client_id {made_id}")
    if secret is not None:
        typer.echo(f"client_secret {secret}")


@clients.command("list")
def list_clients(data: options.Data = None) -> None:
    """List the clients, oldest first."""
    for client in _run("client-list", data):
        kind = "confidential" if client["confidential"] else "public"
        typer.echo(f"{client['id']} {kind}, {client['name']}")
        typer.echo(f"  scopes {' '.join(client['scopes'])}")
        typer.echo(f"  grant types {' '.join(client['grant_types'])}")
        for uri in client["redirect_uris"]:
            typer.echo(f"  redirect URI {uri}")
        for uri in client["post_logout_redirect_uris"]:
            typer.echo(f"  post-logout redirect URI {uri}")


@clients.command("secret")
def secret(client_id: ClientId, data: options.Data = None) -> None:
    """Give a client another secret, printed this once; the old one ends."""
    typer.echo(f"client_secret {_run('client-secret', data, client_id=client_id)}")


@clients.command("remove")
def remove(client_id: ClientId, data: options.Data = None) -> None:
    """Forget a client, and take back all tokens that it was given."""
    _run("client-remove", data, client_id=client_id)
    typer.echo(f"{client_id} is removed")


@keys.callback()
def group() -> None:
    """Rotate the keys that tokens are signed with."""


@keys.command("rotate")
def rotate(data: options.Data = None) -> None:
    """Publish new keys, which sign once everybody has had time to fetch them."""
    for life in _run("keys-rotate", data):
        moment = datetime.fromtimestamp(life["active_at"] / 1_000_000, UTC)
        typer.echo(f"{life['alg']} {life['kid']} signs from {moment:%Y-%m-%dT%H:%M:%SZ} on")


def _run(what: str, data: Path | None, /, **arguments: Any) -> Any:
    work, settings = opened(what, data)
    return done(work(settings, **arguments))

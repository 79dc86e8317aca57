"""What several commands take."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder.", show_default="./.leaky"),
]
Token = Annotated[
    str,
    typer.Option(
        envvar="LEAKY_TOKEN",
        metavar="JWT",
        show_default=False,
        show_envvar=True,
        help="An ADMIN's credential, which `secure` asks for.",
    ),
]

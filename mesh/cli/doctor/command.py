"""`leaky doctor`."""

import asyncio
import json
import logging
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer

from mesh.cli import options
from mesh.cli.data import environment
from mesh.cli.doctor.checks import examine
from mesh.cli.doctor.finding import Finding, Level
from mesh.cli.services import NAMES, check_name


def doctor(
    services: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SERVICE]...", help=f"{', '.join(NAMES)}; all without."),
    ] = None,
    data: options.Data = None,
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON array of findings instead of lines.")
    ] = False,
) -> None:
    """Look at every setting and every part; exit 1 when something keeps it from working."""
    chosen = services or list(NAMES)
    for name in chosen:
        check_name(name)
    # Drivers log what they are about to raise; findings say it once.
    logging.disable(logging.CRITICAL)
    findings = asyncio.run(examine(environment(data), chosen))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        _print(findings)
    if any(finding.level is Level.FAIL for finding in findings):
        raise typer.Exit(1)


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.subject) for finding in findings)
    for each in findings:
        typer.echo(f"{each.level:<4}  {each.subject:<{width}}  {each.what}")
        if each.advice:
            typer.echo(f"{'':4}  {'':{width}}  -> {each.advice}")
    counted = Counter(finding.level for finding in findings)
    typer.echo(", ".join(f"{counted[level]} {level}" for level in Level))

"""Names that look like settings and are none."""

import difflib
from collections.abc import Iterator

from mesh.cli.doctor.case import Case
from mesh.cli.doctor.finding import Finding, fail, ok, warn
from mesh.cli.parent import PARENT_FD
from mesh.cli.services import settings_models
from mesh.settings.names import env_name, names_of
from mesh.settings.source import FILE
from mesh.telemetry.logs import CONSOLE

_PREFIX = "LEAKY_"
# Between the processes of `leaky up`, read by compose files and scripts, and what --token is else.
_NO_SETTINGS = {PARENT_FD, CONSOLE, "LEAKY_CACHE", "LEAKY_PARTS", "LEAKY_SECRETS", "LEAKY_TOKEN"}


async def check(case: Case) -> list[Finding]:
    """Variables and names in settings.json that no service reads."""
    found = [*_variables(case), *_in_file(case)]
    return found or [ok("names", "every LEAKY_ variable and every name in settings.json is known")]


def _variables(case: Case) -> Iterator[Finding]:
    names = [name for model in settings_models().values() for name in names_of(model)]
    known = {env_name(name.dotted.replace("{name}", "name")) for name in names}
    for variable in sorted(case.env):
        ours = variable.startswith(_PREFIX) and variable not in _NO_SETTINGS
        if ours and not any(name.env_pattern.fullmatch(variable) for name in names):
            what = "is set in the environment and read by nobody"
            yield warn(variable, what, _advice(variable, known, "unset it"))


def _in_file(case: Case) -> Iterator[Finding]:
    names = [name for model in settings_models().values() for name in names_of(model)]
    known = {name.dotted for name in names}
    for dotted in sorted(case.values):
        if not any(name.pattern.fullmatch(dotted) for name in names):
            what = f"is in {FILE} and read by nobody"
            yield warn(dotted, what, _advice(dotted, known, f"take it out of {FILE}"))
        elif dotted == "data":
            what = f"is in {FILE}, which is found through it"
            yield fail(dotted, what, "Choose the data folder with LEAKY_DATA or --data.")


def _advice(name: str, known: set[str], otherwise: str) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return f"Is {close[0]} meant? Else {otherwise}." if close else f"{otherwise.capitalize()}."

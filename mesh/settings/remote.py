"""Settings that are kept elsewhere: what may be there, and the copy of the last good ones.

Others than this service's operator may see such a place, so no secret belongs
there; and what is one process's own, such as its port, does not either. They may
write there, too: what is kept there never says whom a secret is shown.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mesh.private_file import write_private
from mesh.settings.names import Name, env_name, names_of
from mesh.settings.source import S, SettingsError, load
from mesh.telemetry.redact import scrub, secret_key

log = structlog.get_logger("settings")
_OWN = re.compile(
    r"data|registry|bind-address|allow-insecure-bind|mesh\.advertise-address|mesh\.health-address"
    r"|mesh\.instance|mesh\.share-http-port|mesh\.own-http-port|pki\..*|.*\.(?:http|grpc|health)-port|.*\.consul-token-file"
)
# Wider than what `scrub` hides: a false alarm costs nothing here.
_URL_SECRET = re.compile(
    r"(?i)[a-z][a-z0-9+.-]*://(?:[^@\s]*:[^@\s]*@|\S*[?&][^=&]*(?:pass|pwd|secret|token|key)[^=&]*=)"
)


class SourceAwayError(Exception):
    """The place where settings are kept does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a place holds: texts by dotted name, all as of `index`; `indexes` are each one's own."""

    index: int
    values: Mapping[str, str]
    indexes: Mapping[str, int] = field(default_factory=dict)


def misplaced(name: Name, dotted: str, text: str) -> str | None:
    """Why this value may not be kept elsewhere, without the value; None if it may."""
    instead = f"set {env_name(dotted)} in the service's environment instead"
    if name.secret or secret_key(dotted):
        return f"{dotted}: a secret does not belong in Consul KV; {instead}"
    if _URL_SECRET.search(text) or scrub(text) != text:
        return f"{dotted}: the value holds a secret, which does not belong in Consul KV; {instead}"
    if _OWN.fullmatch(dotted):
        return f"{dotted} is each process's own and cannot come from Consul KV; {instead}"
    return None


def admitted(names: Iterable[Name], values: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values of settings that there are, and the names of those that there are not.

    Raises SettingsError that names each value that may not be kept elsewhere.
    """
    known = list(names)
    found: dict[str, str] = {}
    problems, strangers = [], []
    for dotted, text in values.items():
        name = next((each for each in known if each.pattern.fullmatch(dotted)), None)
        if name is None:
            strangers.append(dotted)
        elif problem := misplaced(name, dotted, text):
            problems.append(problem)
        else:
            found[dotted] = text
    if problems:
        raise SettingsError(*problems)
    return found, strangers


def load_shared(model: type[S], env: Mapping[str, str], values: Mapping[str, str]) -> S:
    """The settings as `load` has them, of `values` that others may write.

    Raises SettingsError also where those would have a secret of ours sent elsewhere.
    """
    check_shown(names_of(model), env, values)
    return load(model, env, values)


def check_shown(names: Iterable[Name], env: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Raises SettingsError where a value names whom the environment's secret is shown.

    A secret comes from the environment alone, and where it goes comes from there too.
    Nothing is compared: which hosts are as good as another is nothing that we know.
    """
    pointing = [name for name in names if name.shown or name.shown_variables]
    problems = [
        f"{dotted}: {variable} goes there, so it cannot come from Consul KV;"
        f" set {env_name(dotted)} beside it instead"
        for dotted in values
        for name in pointing
        if name.pattern.fullmatch(dotted) and env_name(dotted) not in env
        for variable in _shown(name, dotted)
        if env.get(variable)
    ]
    if problems:
        raise SettingsError(*problems)


def _shown(name: Name, dotted: str) -> Iterator[str]:
    """The variables of what this value, whatever it names, is shown."""
    yield from name.shown_variables
    if name.shown:
        yield env_name(f"{dotted.rpartition('.')[0]}.{name.shown}")


class LastGood:
    """The values that a service last ran on, `<service>.kv.json` in its data folder."""

    def __init__(self, data: Path, service: str) -> None:
        self._path = data / f"{service}.kv.json"

    def read(self) -> dict[str, str] | None:
        """The values; None where none were kept, or not so that they can be read."""
        try:
            values = json.loads(self._path.read_text())
            return {str(name): str(text) for name, text in values.items()}
        except FileNotFoundError:
            return None
        except (OSError, ValueError, AttributeError) as error:
            log.warning("the last good settings cannot be read", error=str(error))
            return None

    def keep(self, values: Mapping[str, str]) -> None:
        """Replaces them at once and durably, with mode 0600. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(self._path, json.dumps(dict(values), indent=2, sort_keys=True))

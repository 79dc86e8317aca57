"""More than one process of a service on one machine: who they are and where they listen.

The first listens where the settings say. The others take free ports near by,
which the registry tells the callers; gateways share the one REST port, as the
kernel lets several processes listen on one (SO_REUSEPORT, socket(7)), and each
has one of its own beside it, where its metrics are no other's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mesh.cli.endpoints import Endpoint, endpoint, free_port
from mesh.cli.refusal import USAGE, RefusedError
from mesh.cli.services import NAMES, settings_models
from mesh.settings import Live, MeshSettings
from mesh.settings.names import env_name, names_of

MOST = 32
# Whose callers come from outside and know one port only.
_SHARES_PORT = "gateway"
_OWN_FILE = ("", "sqlite", "memory")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """One process to be: where it listens, and what its environment says beside the shared one."""

    endpoint: Endpoint
    env: Mapping[str, str]


def counts(texts: Iterable[str]) -> dict[str, int]:
    """How many of each service, from texts such as "token=2". Raises RefusedError."""
    found = dict.fromkeys(NAMES, 1)
    for text in texts:
        name, _, number = text.partition("=")
        if name not in found or not number.isdecimal() or not 1 <= int(number) <= MOST:
            message = (
                f"--instances takes SERVICE=NUMBER, 1 to {MOST}, not {text};"
                f" services are {', '.join(NAMES)}"
            )
            raise RefusedError(message, code=USAGE)
        found[name] = int(number)
    return found


def plan(
    settings: MeshSettings, env: Mapping[str, str], wanted: Mapping[str, int]
) -> list[Instance]:
    """Every process of the system, in the order in which they drain; `env` made the settings.

    Raises RefusedError where a second process would keep a truth of its own.
    """
    first = [endpoint(settings, name) for name in NAMES]
    taken = {port.number for each in first for port in each.ports}
    planned = []
    for each in first:
        number = wanted[each.service]
        if number > 1:
            _check(each.service, settings, env)
        own = _sharing(each, taken) if number > 1 and each.service == _SHARES_PORT else {}
        where = _at(env, own, each.service, 1) if own else each
        planned.append(Instance(endpoint=where, env=own))
        for instance in range(2, number + 1):
            planned.append(_another(env, each, own, instance, taken))  # noqa: PERF401 grows taken
    return planned


def workers_env(env: Mapping[str, str], data: Path) -> dict[str, str]:
    """What gateways need to keep one count of requests: a file, unless they have a shared store.

    Raises whatever settings that are refused do.
    """
    stores = dict(_stores(_SHARES_PORT, env))
    changed = {
        name: f"shared://{quote(str(data.resolve() / 'windows'))}"
        for name, value in stores.items()
        if value.partition(":")[0] == "memory"
    }
    return {env_name(name): value for name, value in changed.items()}


def _check(service: str, settings: MeshSettings, env: Mapping[str, str]) -> None:
    for name, value in _stores(service, env):
        if value.partition(":")[0] in _OWN_FILE:
            shown = value or "a file of its own"
            message = f"{name} is {shown}, which two of {service} cannot share"
            if service == _SHARES_PORT:
                message += "; --workers gives them one that they can"
            raise RefusedError(message, code=USAGE)
    if not settings.uses_consul and service != _SHARES_PORT:
        message = f"nobody would find a second {service}; set registry to a consul:// address"
        raise RefusedError(message, code=USAGE)


def _stores(service: str, env: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    model = settings_models()[service]
    tree: Any = Live.read(model, env, service).current.model_dump(by_alias=True)
    found = []
    for name in names_of(model):
        if name.path[0] == service and name.path[-1] == "store":
            value = reduce(lambda node, part: node[part], name.path, tree)
            found.append((name.dotted, str(value)))
    return found


def _sharing(each: Endpoint, taken: set[int]) -> dict[str, str]:
    own = free_port(each.http[0], taken)
    return {env_name("mesh.share-http-port"): "true", env_name("mesh.own-http-port"): str(own)}


def _another(
    env: Mapping[str, str],
    first: Endpoint,
    shared: Mapping[str, str],
    instance: int,
    taken: set[int],
) -> Instance:
    shared = _sharing(first, taken) if shared else {}
    own = {**shared, env_name("mesh.instance"): str(instance)}
    moved = [first.grpc, *([first.health] if first.health else [])]
    if not shared:
        moved += first.http
    for port in moved:
        own[env_name(port.setting)] = str(free_port(port, taken))
    return Instance(endpoint=_at(env, own, first.service, instance), env=own)


def _at(env: Mapping[str, str], own: Mapping[str, str], service: str, instance: int) -> Endpoint:
    settings = Live.read(MeshSettings, {**env, **own}).current
    return endpoint(settings, service, instance=instance)

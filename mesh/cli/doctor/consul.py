"""Consul: whether it answers, what the service's token may do, and what KV holds."""

from collections.abc import Sequence
from typing import Any

from consul.exceptions import ACLDisabled, ACLPermissionDenied, ConsulException

from mesh.cli.doctor.finding import Finding, Level, fail, ok, warn
from mesh.cli.doctor.parts import Part, away
from mesh.consul.client import FAILURES, opened, told, within
from mesh.consul.kv import ForbiddenError, Kv, folder_of
from mesh.settings.names import names_of
from mesh.settings.remote import SourceAwayError, admitted, load_shared
from mesh.settings.source import SettingsError

KIND = "Consul"
_BOOTSTRAP = "run leaky consul bootstrap"


async def examine(part: Part) -> list[Finding]:
    """Asks with the token of one service."""
    subject = f"registry ({part.service})"
    try:
        async with opened(part.settings, part.service) as client:
            leader = await within(client.status.leader())
            if not leader:
                what = f"{KIND} at {part.place} has no leader"
                return [fail(subject, what, "Start the servers that are missing.")]
            token = await _token(part, subject, client)
            if token.level is Level.FAIL:
                # What follows from it would only say the same.
                return [token]
            kept = await _kv(part, subject, client)
            return [token, *kept, *await _instances(part, subject, client)]
    except SettingsError as error:
        return [fail(subject, str(error), f"Correct it, or {_BOOTSTRAP}.")]
    except FAILURES as error:
        return away(part, KIND, told(error))


async def _token(part: Part, subject: str, client: Any) -> Finding:
    setting = f"LEAKY_{part.service.upper()}_CONSUL_TOKEN_FILE"
    if not client.token:
        return await _nobody(subject, client, setting)
    try:
        own = await within(client.acl.token.read("self"))
    except ACLDisabled:
        return warn(subject, "ACLs are off", f"Turn them on (consul/agent.hcl) and {_BOOTSTRAP}.")
    except (ACLPermissionDenied, ConsulException) as error:
        what = f"its token is not known: {told(error)}"
        return fail(subject, what, f"{_BOOTSTRAP.capitalize()}, and set {setting}.")
    policies = ", ".join(one["Name"] for one in own.get("Policies") or ()) or "none"
    return ok(subject, f"{KIND} at {part.place}, its token has the policies {policies}")


async def _nobody(subject: str, client: Any, setting: str) -> Finding:
    """Without a token; well where there are no ACLs."""
    try:
        await within(client.acl.token.list())
    except ACLDisabled:
        return warn(subject, "ACLs are off", f"Turn them on (consul/agent.hcl) and {_BOOTSTRAP}.")
    except (ACLPermissionDenied, ConsulException):
        what = "shows no token, so it may neither register nor read its settings"
        return fail(subject, what, f"{_BOOTSTRAP.capitalize()}, and set {setting}.")
    return warn(subject, "anybody may do anything in it", f"Set acl default_policy deny in {KIND}.")


async def _kv(part: Part, subject: str, client: Any) -> list[Finding]:
    path = folder_of(part.service)
    try:
        stored = await Kv(client).folder(path)
    except ForbiddenError as error:
        advice = f"Let the policy list key_prefix {path}/: {_BOOTSTRAP}."
        return [fail(subject, f"its token may not read {path}/ in KV: {error}", advice)]
    except SourceAwayError as error:
        return away(part, KIND, error)
    names = list(names_of(type(part.settings)))
    try:
        values, strangers = admitted(names, stored.values)
        load_shared(type(part.settings), part.case.env, values)
    except SettingsError as error:
        what = f"{path}/ in KV is refused, so older settings serve: {error}"
        return [fail(subject, what, "Correct it with leaky config set, or in Consul's UI.")]
    return [ok(subject, f"{len(values)} settings in {path}/"), *_strangers(path, strangers)]


def _strangers(path: str, names: Sequence[str]) -> list[Finding]:
    advice = "Correct the name, or delete the key."
    return [warn(f"{path}/{name}", "is in KV and read by nobody", advice) for name in names]


async def _instances(part: Part, subject: str, client: Any) -> list[Finding]:
    try:
        _, nodes = await within(client.health.service(part.service))
    except (ACLPermissionDenied, ConsulException) as error:
        what = f"its token may not look up {part.service}: {told(error)}"
        return [fail(subject, what, f"{_BOOTSTRAP.capitalize()}.")]
    if not nodes:
        return [ok(subject, f"no instance of {part.service} is registered")]
    passing = sum(all(check["Status"] == "passing" for check in node["Checks"]) for node in nodes)
    what = f"{passing} of {len(nodes)} instances of {part.service} are healthy"
    if passing == len(nodes):
        return [ok(subject, what)]
    advice = "Look at the checks in Consul's UI, and at what the instances log."
    return [(warn if passing else fail)(subject, what, advice)]

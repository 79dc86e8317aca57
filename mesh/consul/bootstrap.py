"""Brings a Consul to what the consul/ folder says; run again, it changes only what differs.

Nothing is taken away, and no value in KV is overwritten: those are the operator's.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from consul.callback import CB

from mesh.consul.client import within
from mesh.consul.kv import MOST_CHANGES, Change, Kv, folder_of
from mesh.consul.plan import AGENT, PREFIX, Plan

_ANONYMOUS = "00000000-0000-0000-0000-000000000002"


class Bootstrap:
    """One run, with a client that shows a management token; `tell` hears what changed."""

    def __init__(self, client: Any, tell: Callable[[str], None]) -> None:
        self._client, self._tell = client, tell

    async def run(self, plan: Plan) -> dict[str, str]:
        """Everything the plan says. The secrets of the tokens, by holder."""
        await self._policies(plan.policies)
        tokens = {holder: await self._token(holder) for holder in plan.policies}
        if AGENT in tokens:
            await self._agent(tokens[AGENT])
        for entry in plan.entries:
            await self._entry(entry)
        for service, values in plan.seed.items():
            await self._seed(service, values)
        await self._anonymous()
        return tokens

    async def _policies(self, wanted: Mapping[str, str]) -> None:
        listed = await within(self._client.acl.policy.list())
        known = {policy["Name"]: policy["ID"] for policy in listed}
        for holder, rules in wanted.items():
            name = PREFIX + holder
            if name not in known:
                await self._put_policy("", {"Name": name, "Rules": rules})
                self._tell(f"policy {name} is new")
                continue
            there = await within(self._client.acl.policy.read(known[name]))
            if there["Rules"] != rules:
                await self._put_policy(f"/{known[name]}", {**there, "Rules": rules})
                self._tell(f"policy {name} has changed")

    async def _put_policy(self, path: str, policy: Mapping[str, Any]) -> None:
        # py-consul takes rules as a dictionary only, and would quote HCL.
        call = self._client.http.put(
            CB.json(),
            f"/v1/acl/policy{path}",
            headers=self._client.prepare_headers(),
            data=json.dumps(policy),
        )
        await within(call)

    async def _token(self, holder: str) -> str:
        """The secret of the holder's one token, found by its description."""
        name = PREFIX + holder
        tokens = self._client.acl.token
        accessors = [
            token["AccessorID"]
            for token in await within(tokens.list())
            if token["Description"] == name
        ]
        if not accessors:
            made = await within(tokens.create(description=name, policies_name=[name]))
            self._tell(f"token {name} is new")
            return str(made["SecretID"])
        there = await within(tokens.read(min(accessors)))
        if [policy["Name"] for policy in there.get("Policies") or []] != [name]:
            accessor = there["AccessorID"]
            await within(tokens.update(accessor, description=name, policies_name=[name]))
            self._tell(f"token {name} has its policy again")
        return str(there["SecretID"])

    async def _agent(self, secret: str) -> None:
        # Cannot be read back; to set it again changes nothing.
        call = self._client.http.put(
            CB.boolean(),
            "/v1/agent/token/agent",
            headers=self._client.prepare_headers(),
            data=json.dumps({"Token": secret}),
        )
        await within(call)

    async def _entry(self, wanted: Mapping[str, Any]) -> None:
        kind, name = wanted["Kind"], wanted["Name"]
        there = await within(self._client.config.get(kind, name))
        if there is None or not _holds(there, wanted):
            await within(self._client.config.set(kind, name, dict(wanted)))
            self._tell(f"{kind} {name} {'is new' if there is None else 'has changed'}")

    async def _seed(self, service: str, values: Mapping[str, str]) -> None:
        kv, path = Kv(self._client), folder_of(service)
        stored = await kv.folder(path)
        new = [
            Change(key=f"{path}/{name}", text=text, index=0)
            for name, text in values.items()
            if name not in stored.values
        ]
        for start in range(0, len(new), MOST_CHANGES):
            part = new[start : start + MOST_CHANGES]
            # Somebody else's, put there meanwhile, would be kept: then ask again.
            if not await kv.change(part):
                await self._seed(service, values)
                return
            for change in part:
                self._tell(f"{change.key} is new")

    async def _anonymous(self) -> None:
        token = await within(self._client.acl.token.read(_ANONYMOUS))
        if token and token.get("Policies"):
            names = ", ".join(policy["Name"] for policy in token["Policies"])
            self._tell(f"warning: whoever shows no token has {names}; it should have nothing")


def _holds(there: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; Consul adds fields of its own."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(
            key in there and _holds(there[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        # Sources come back in the order of their precedence.
        return len(there) == len(wanted) and all(
            any(_holds(one, value) for one in there) for value in wanted
        )
    return bool(there == wanted)

"""Whom each method is for, and whom it is not for."""

import uuid
from typing import Any

from leaky.edge.v1.options_pb2 import ACCESS_INTERNAL, ACCESS_ROLES
from mesh.rpc.method import Method
from tests.e2e.cast import Cast, Person
from tests.e2e.forgers import spoofed
from tests.e2e.matrix import GRPC_SERVICES, Headers, Names

# Also for any user, but what is somebody else's is not found.
NOT_FOUND_FOR_OTHERS = {"GetPurchase", "GetReservation", "Settle", "Release"}
# Also for any user, and refused to all but whom the invitation is for.
FOR_THE_INVITED = "AcceptInvitation"
# These end sessions: each time another's.
ABOUT_THE_SESSION = {"ChangePassword", "Logout"}
Case = tuple[Headers, Names, int]


def strangers(cast: Cast, method: Method[Any, Any], fixed: Names) -> dict[str, Case]:
    """Good credentials of the wrong people, what they ask for, and what they get."""
    bob, rule = cast.bob, method.rule
    if rule.access == ACCESS_INTERNAL:
        others = [one for one in ("gateway", *GRPC_SERVICES) if one not in rule.callers]
        return {
            "a user": (cast.ada.bearer, fixed, 403),
            "an ADMIN": (cast.admin.bearer, fixed, 403),
            "a user's key": (cast.ada.api_key, fixed, 401),
            **{f"service {one}": (cast.service(one), fixed, 403) for one in others},
        }
    found: dict[str, Case] = {
        "a service": (cast.service("token"), fixed, 401),
        "a key without the scope": (cast.without[rule.scope], fixed, 403),
    }
    if not rule.scope:
        found["an ADMIN's key with scopes"] = (cast.admin_with_scopes, fixed, 403)
    if rule.provider:
        found["a key for another provider"] = (cast.elsewhere, fixed, 403)
    if rule.access == ACCESS_ROLES:
        found |= {name: (held, fixed, 403) for name, held in every_way(cast.ada).items()}
    if rule.own:
        found |= {f"another user, {name}": (held, fixed, 403) for name, held in bobs(cast).items()}
    if rule.member:
        names = {**fixed, "org_id": cast.org} | ({"user_id": bob.id} if rule.own else {})
        found |= {f"no member, {name}": (held, names, 403) for name, held in bobs(cast).items()}
    if rule.standings:
        members = {"MEMBER": cast.carol, "BILLING": cast.erin}
        found |= {
            f"merely {standing}": (
                one.bearer,
                {**fixed, "org_id": cast.org} | ({"user_id": one.id} if rule.own else {}),
                403,
            )
            for standing, one in members.items()
            if standing not in rule.standings
        }
    if method.name == FOR_THE_INVITED:
        found |= {f"another user, {name}": (held, fixed, 403) for name, held in bobs(cast).items()}
    if method.name in NOT_FOUND_FOR_OTHERS:
        found |= {f"another user, {name}": (held, fixed, 404) for name, held in bobs(cast).items()}
    return found


def rightful(cast: Cast, method: Method[Any, Any]) -> dict[str, tuple[Headers, Names]]:
    """Credentials of those who may, and what they ask for."""
    rule, names = method.rule, cast.names()
    if method.name in ABOUT_THE_SESSION:
        return {"the session itself": (cast.newcomer().bearer, names)}
    if rule.access == ACCESS_INTERNAL:
        return {name: (cast.service(name), names) for name in rule.callers}
    found = {"an ADMIN": (cast.admin.bearer, names)}
    if rule.access == ACCESS_ROLES:
        more = {"CreateOrgQuotaRequest.org_id": str(uuid.uuid4())}
        return {**found, "an ADMIN's key": (cast.admin.api_key, {**names, **more})}
    if method.name == FOR_THE_INVITED:
        found = {}
    spoofing = {**spoofed(cast.bob), **cast.ada.bearer}
    found |= {name: (held, names) for name, held in every_way(cast.ada).items()}
    found |= {"the user, spoofing another": (spoofing, names)}
    people = {"the owner": cast.ada, "a member": cast.carol}
    if not rule.standings:
        people["billing"] = cast.erin
    if rule.own and rule.member:
        found |= {
            name: (one.bearer, {**names, "user_id": one.id, "org_id": cast.org})
            for name, one in people.items()
        }
    elif rule.member and not rule.standings:
        found |= {name: (one.bearer, names) for name, one in people.items()}
    return found


def every_way(person: Person) -> dict[str, Headers]:
    """All that a person can prove itself with."""
    return {"token": person.bearer, "key": person.api_key}


def bobs(cast: Cast) -> dict[str, Headers]:
    """What a stranger brings."""
    spoofing = {**spoofed(cast.ada), **cast.bob.bearer}
    return {**every_way(cast.bob), "spoofing": spoofing}

"""Who may do what: the whole difference between the profiles `local` and `secure`."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from leaky.edge.v1.options_pb2 import (
    ACCESS_AUTHENTICATED,
    ACCESS_INTERNAL,
    ACCESS_PUBLIC,
    ACCESS_ROLES,
)
from mesh.identity.memberships import Memberships
from mesh.identity.principal import Principal
from mesh.identity.refusals import denied, unauthenticated
from mesh.identity.scopes import check_provider, check_scope
from mesh.rpc.call import Call
from mesh.rpc.method import Method

Admit = Callable[[Call], None]


class Policy(Protocol):
    """Decides over a call whose credentials are verified and whose fields are valid."""

    def admit(self, call: Call) -> None:
        """Returns for a caller who may use the method at all.

        Raises AppError UNAUTHENTICATED or PERMISSION_DENIED.
        """
        ...

    def check(self, request: Message, call: Call) -> Awaitable[None] | None:
        """None when, beyond that, the request's data are the caller's, or what asks whether.

        Raises as `admit` does, at once or when awaited.
        """
        ...

    async def may_see(
        self,
        principal: Principal,
        *,
        user_id: str,
        org_id: str | None,
        standings: Collection[str] = (),
    ) -> bool:
        """Whether data of this user, or of this organisation, are the caller's, too.

        With `standings` the caller must be one of these there, not any member.
        """
        ...

    def speaks_for_others(self, call: Call) -> bool:
        """Whether the caller is believed for whom it calls."""
        ...


class LocalPolicy:
    """A playground: everything goes, but for what a credential is limited to itself."""

    def speaks_for_others(self, call: Call) -> bool:  # noqa: ARG002
        """Always."""
        return True

    def admit(self, call: Call) -> None:
        """Returns unless the credential's scopes leave the method out."""
        check_scope(call)

    def check(self, request: Message, call: Call) -> Awaitable[None] | None:
        """None unless the credential is for other providers."""
        check_provider(request, call)
        return None

    async def may_see(
        self,
        principal: Principal,  # noqa: ARG002
        *,
        user_id: str,  # noqa: ARG002
        org_id: str | None,  # noqa: ARG002
        standings: Collection[str] = (),  # noqa: ARG002
    ) -> bool:
        """Always."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Gate:
    """A method's rule, compiled. `own` and `member` are request fields, empty for none.

    `standings` are what a member must be one of, none for any.
    """

    admit: Admit
    own: str
    member: str
    standings: frozenset[str]

    @property
    def open(self) -> bool:
        return not self.own and not self.member


class SecurePolicy:
    """Enforces each method's rule; what no rule allows is denied."""

    def __init__(self, memberships: Memberships) -> None:
        self._memberships = memberships
        self._gates: dict[str, _Gate] = {}

    def speaks_for_others(self, call: Call) -> bool:
        """Services alone: a client could name anybody."""
        return bool(call.caller)

    def admit(self, call: Call) -> None:
        """Returns when the rule's access and scope are met."""
        self._gate(call.method).admit(call)
        check_scope(call)

    async def may_see(
        self,
        principal: Principal,
        *,
        user_id: str,
        org_id: str | None,
        standings: Collection[str] = (),
    ) -> bool:
        """The user itself, a member with one of the standings (none: any), or an ADMIN."""
        if principal.anonymous:
            return False
        if principal.admin or principal.user_id == user_id:
            return True
        if not org_id:
            return False
        membership = await self._memberships.of(org_id=org_id, user_id=principal.user_id)
        return membership.member and (not standings or membership.standing in standings)

    def _gate(self, method: Method[Any, Any]) -> _Gate:
        return self._gates.get(method.path) or self._compile(method)

    def check(self, request: Message, call: Call) -> Awaitable[None] | None:
        """None when the rule's `own`, `member` and `provider` are met, or what asks svc_auth."""
        check_provider(request, call)
        gate = self._gate(call.method)
        if gate.open:
            return None
        if call.principal.anonymous:
            raise unauthenticated("a credential is needed")
        return None if call.principal.admin else self._check_owner(gate, request, call)

    def _check_owner(self, gate: _Gate, request: Message, call: Call) -> Awaitable[None] | None:
        if gate.own and getattr(request, gate.own) != call.principal.user_id:
            raise denied("only the user itself may do this")
        if gate.member:
            org_id = getattr(request, gate.member)
            # Beside an owner the organisation is optional, alone it is not.
            if org_id or not gate.own:
                return self._check_member(gate, org_id, call.principal.user_id)
        return None

    async def _check_member(self, gate: _Gate, org_id: str, user_id: str) -> None:
        if not org_id:
            raise denied(f"{gate.member} is missing")
        membership = await self._memberships.of(org_id=org_id, user_id=user_id)
        if not membership.member:
            raise denied("the caller is no member of the organisation")
        if gate.standings and membership.standing not in gate.standings:
            raise denied(f"the caller's role in the organisation is {membership.standing}")

    def _compile(self, method: Method[Any, Any]) -> _Gate:
        rule = method.rule
        gate = _Gate(
            admit=_admission(method),
            own=_text_field(method, rule.own),
            member=_text_field(method, rule.member),
            standings=frozenset(rule.standings),
        )
        _text_field(method, rule.provider)
        self._gates[method.path] = gate
        return gate


def _admission(method: Method[Any, Any]) -> Admit:
    rule = method.rule
    if rule.access == ACCESS_PUBLIC:
        return _anyone
    if rule.access == ACCESS_AUTHENTICATED:
        return _any_user
    if rule.access == ACCESS_ROLES:
        return _holder_of(frozenset(rule.roles))
    if rule.access == ACCESS_INTERNAL:
        return _service_of(frozenset(rule.callers))
    return _no_one


def _anyone(_: Call) -> None:
    return


def _no_one(_: Call) -> None:
    raise denied("no rule allows this")


def _any_user(call: Call) -> None:
    # Also for a service that calls for nobody: only users own what users do.
    if call.principal.anonymous:
        raise unauthenticated("a credential is needed")


def _holder_of(roles: frozenset[str]) -> Admit:
    def admit(call: Call) -> None:
        _any_user(call)
        if roles.isdisjoint(call.principal.roles):
            raise denied("the caller's roles do not allow this")

    return admit


def _service_of(callers: frozenset[str]) -> Admit:
    def admit(call: Call) -> None:
        if call.caller in callers:
            return
        if not call.caller:
            _any_user(call)
        raise denied("only services of the mesh may call this")

    return admit


def _text_field(method: Method[Any, Any], name: str) -> str:
    if not name:
        return ""
    field = method.request.DESCRIPTOR.fields_by_name.get(name)
    if field is None or field.type != FieldDescriptor.TYPE_STRING or field.is_repeated:
        message = f"the rule of {method.path} names {name}, which is no text field of its request"
        raise TypeError(message)
    return name

"""Who asks for something, and from where."""

from dataclasses import dataclass

ANYBODY = "anonymous"
_NO_USERS = frozenset({ANYBODY, "system", "operator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """`actor` is the acting user's id, or one of the words of this module.

    `api_key_id` is set when a key stood for the user. `address` is the client's,
    empty when it is unknown; it and the ids of the story that the request
    belongs to are for the audit log.
    """

    actor: str = ANYBODY
    api_key_id: str = ""
    address: str = ""
    correlation_id: str = ""
    trace_id: str = ""

    @property
    def user_id(self) -> str:
        """The acting user's id; empty when none acts."""
        return "" if self.actor in _NO_USERS else self.actor


# An OAuth2 client; which one is what it is about.
CLIENT = "client"
# What svc_auth does by itself.
SYSTEM = Caller(actor="system")
# Who runs a command on the machine that the store is on.
OPERATOR = Caller(actor="operator")

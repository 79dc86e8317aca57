"""What an application is told about a user (OpenID Connect Core, sections 5.1 and 5.4)."""

from collections.abc import Collection
from typing import Any

from svc_auth.domain.oauth2.scopes import EMAIL, PROFILE
from svc_auth.domain.user import User

# By the scope that asks for them.
CLAIMS = {PROFILE: ("preferred_username",), EMAIL: ("email", "email_verified")}


def userinfo(user: User, scopes: Collection[str]) -> dict[str, Any]:
    """`sub`, and what the scopes allow; an address is verified by nobody yet."""
    known = {"preferred_username": user.username, "email": user.email, "email_verified": False}
    told = [name for scope, names in CLAIMS.items() if scope in scopes for name in names]
    return {"sub": user.id} | {name: known[name] for name in told}

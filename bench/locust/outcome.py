"""What an answer counts as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# The documented refusals, by status and reason: load is expected to meet them.
_DOCUMENTED = {
    (402, "INSUFFICIENT_QUOTA"): "402 quota",
    (402, "MEMBER_CAP_EXCEEDED"): "402 member cap",
    (429, "RATE_LIMIT_EXCEEDED"): "429 window",
    (429, "RATE_LIMITED"): "429 bucket",
    (429, "LOGIN_THROTTLED"): "429 login",
}
_SUCCESS = range(200, 300)
_SHOWN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`refusal` names a documented one, `failure` says what was wrong; both empty for a success."""

    refusal: str = ""
    failure: str = ""

    @property
    def done(self) -> bool:
        """Whether what was asked for was done."""
        return not self.refusal and not self.failure

    def name(self, call: str) -> str:
        """What the answer is counted under."""
        return f"{call} [{self.refusal}]" if self.refusal else call


def is_refusal(name: str) -> bool:
    """Whether `Outcome.name` has named a refusal so."""
    return name.endswith("]")


def outcome(status: int, body: Any) -> Outcome:
    """Of an answer's status, 0 for none at all, and its JSON body, or whatever it had."""
    if status in _SUCCESS:
        return Outcome()
    told: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    # A full bucket answers with the documented body of consume instead of an error.
    full = status == 429 and told.get("allowed") is False  # noqa: PLR2004 a status
    reason = "RATE_LIMITED" if full else str(told.get("reason", ""))
    if refusal := _DOCUMENTED.get((status, reason)):
        return Outcome(refusal=refusal)
    said = str(told.get("message") or ("no answer" if not status else body))[:_SHOWN]
    return Outcome(failure=f"{status} {reason} {said}".replace("  ", " "))

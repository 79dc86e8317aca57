"""What came of a spend, as it is answered now and whenever it is asked again."""

import json
from dataclasses import dataclass

from svc_token.domain.bucket import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How the bucket stands, and the provider's JSON."""

    decision: Decision
    answer: bytes
    at_us: int

    def kept(self) -> bytes:
        """A line of what is shown of the bucket, and the provider's JSON byte for byte."""
        head = {
            "at_us": self.at_us,
            "capacity": self.decision.capacity,
            "used": self.decision.used,
            "remaining": self.decision.remaining,
        }
        return json.dumps(head).encode() + b"\n" + self.answer

    @classmethod
    def of(cls, kept: bytes) -> "Spent":
        """What was kept."""
        line, _, answer = kept.partition(b"\n")
        head = json.loads(line)
        decision = Decision(
            at_us=head["at_us"],
            allowed=True,
            capacity=head["capacity"],
            used=head["used"],
            remaining=head["remaining"],
            wait_us=0,
        )
        return cls(decision=decision, answer=answer, at_us=head["at_us"])

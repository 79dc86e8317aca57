"""What may go wrong, how often: each seed has its own mixture, and some have calm waters."""

from dataclasses import dataclass, replace
from random import Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Chances of 0 to 1, a call each, unless it says otherwise.

    `crash_steps` is how many steps a process takes between two crashes on
    average, 0 for never, and `stop_steps` the same of a stop that outlasts a
    lease. `slow` calls take seconds, not milliseconds.
    """

    lost_request: float = 0.0
    lost_reply: float = 0.0
    duplicate: float = 0.0
    slow: float = 0.0
    abandon: float = 0.0
    conflict: float = 0.0
    unknown_commit: float = 0.0
    unanswered: float = 0.0
    declined: float = 0.0
    crash_steps: int = 0
    stop_steps: int = 0

    @classmethod
    def of(cls, random: Random) -> "Faults":
        """A mixture in which each fault is there or not ("Swarm Testing", ISSTA 2012)."""

        def some(most: float) -> float:
            return random.random() * most if random.random() < 0.6 else 0.0

        return cls(
            lost_request=some(0.05),
            lost_reply=some(0.08),
            duplicate=some(0.2),
            slow=some(0.06),
            abandon=some(0.2),
            conflict=some(0.1),
            unknown_commit=some(0.08),
            unanswered=some(0.15),
            declined=some(0.3),
            crash_steps=random.choice((0, 300, 1000, 3000)),
            stop_steps=random.choice((0, 500, 1500)),
        )

    def healed(self) -> "Faults":
        """Nothing breaks any more; what people do stays as it was."""
        return replace(
            self,
            lost_request=0.0,
            lost_reply=0.0,
            slow=0.0,
            conflict=0.0,
            unknown_commit=0.0,
            unanswered=0.0,
            crash_steps=0,
            stop_steps=0,
        )

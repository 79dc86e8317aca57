"""Whether another machine's clock goes with ours."""

import time

from mesh.cli.doctor.finding import Finding, fail, ok, warn

# Tokens and windows are decided in seconds; a certificate is believed a minute early.
NOTICEABLE_SECONDS, TOO_MUCH_SECONDS = 1.0, 20.0


def compared(subject: str, theirs: float, asked: float, answered: float) -> Finding:
    """Their clock against ours; all in seconds since 1970, ours before and after the question."""
    # What lies between question and answer proves nothing.
    behind, ahead = asked - theirs, theirs - answered
    skew = max(behind, ahead, 0.0)
    what = f"its clock is {skew:.1f} s {'behind' if behind > ahead else 'ahead of'} ours"
    advice = "Let NTP set the clocks of both machines."
    if skew > TOO_MUCH_SECONDS:
        return fail(subject, what, advice)
    if skew > NOTICEABLE_SECONDS:
        return warn(subject, what, advice)
    return ok(subject, "its clock goes with ours")


def now() -> float:
    """Ours."""
    return time.time()

"""`leaky doctor` asked about one setting."""

from pathlib import Path

from mesh.cli.doctor.checks import examine
from mesh.cli.doctor.finding import Finding, Level

# In the environment of every service, so that what else they need is no finding.
QUIET = {
    "LEAKY_AUTH_API_KEY_PEPPER": "p" * 32,
    "LEAKY_AUTH_KEYS_ENCRYPTION_KEY": "k" * 32,
}


async def look(folder: Path, subject: str, **env: str) -> list[Finding]:
    """What is found about a setting of one service, such as token.store."""
    service = subject.partition(".")[0]
    variables = {"LEAKY_DATA": str(folder), **QUIET, **env}
    found = await examine(variables, [service])
    return [finding for finding in found if finding.subject == subject]


def levels(found: list[Finding]) -> list[Level]:
    return [finding.level for finding in found]

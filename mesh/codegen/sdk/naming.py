"""Names of protos as names of Python."""

import re


def snake(camel: str) -> str:
    """`GetOrgQuota` -> `get_org_quota`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", camel).lower()


def camel(words: str) -> str:
    """`RATE_LIMITED` -> `RateLimited`."""
    return "".join(word.capitalize() for word in words.split("_"))

"""Keeps secrets out of logs: by the name of a field, and by what a text looks like."""

import re
from collections.abc import Mapping, MutableMapping
from typing import Any

HIDDEN = "[redacted]"

# "tokens" and "api_key_id" are no secrets, so whole words count, not substrings.
_SECRET_KEY = re.compile(
    r"(?:.*[_.])?(?:authorization|cookie|passwords?|passphrase|token|jwt|api_?key|x_leaky_service"
    r"|raw_?key|secret|pepper|private_key|encryption_key|prompt|credentials?)(?:_hash)?"
)
# The one secret that may be part of a path.
_INVITATION = (re.compile(r"(leaky_invite_)[\w-]+"), rf"\1{HIDDEN}")
_SECRET_TEXT = (
    # An API key keeps its owner's id, which tells whose it was.
    (re.compile(r"(leaky_[0-9a-fA-F-]{36}_)[^\s\"',;&)]+"), rf"\1{HIDDEN}"),
    _INVITATION,
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"), rf"\1 {HIDDEN}"),
    # A URL's password, as long as it is encoded as it should be.
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,300}):[^\s/@]{1,2000}@"),
        rf"\1:{HIDDEN}@",
    ),
    # The password of a store's URL, to the last @, as drivers take some that are not encoded. What
    # has a port there has none. Bounded, so that a text of many beginnings takes linear time.
    (
        re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://[^\s/:\[]{0,99}):(?!\d+(?:[/?#\s]|$))\S{1,2000}@"),
        rf"\1:{HIDDEN}@",
    ),
    # Or the same as an option; "keyspace" and "maxTokens" are none, so the name ends with the word.
    (
        re.compile(
            r"(?i)([?&][^=&?\s]*(?:pass(?:word|wd|phrase)?|pwd|secret|token|key)=)[^\s&\"]+"
        ),
        rf"\1{HIDDEN}",
    ),
)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: hides the values of secret keys and secrets within texts."""
    for key, value in event.items():
        event[key] = hide(key, value)
    return event


def hide(key: str, value: Any) -> Any:
    """The value as it may be shown under this key, to any depth."""
    if secret_key(key) and value not in (None, "", True, False):
        return HIDDEN
    return _hide(value)


def secret_key(key: str) -> bool:
    """Whether what stands under this name is never shown."""
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")
    return _SECRET_KEY.fullmatch(snake) is not None


def _hide(value: Any) -> Any:
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, Mapping):
        return {key: hide(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_hide(inner) for inner in value]
    return value


def scrub(text: str) -> str:
    """The text without API keys, invitations, JWTs, bearers and URL passwords."""
    for pattern, shown in _SECRET_TEXT:
        text = pattern.sub(shown, text)
    return text


def scrub_path(path: str) -> str:
    """The path without what invites somebody; in linear time, as anybody may send any path."""
    pattern, shown = _INVITATION
    return pattern.sub(shown, path)

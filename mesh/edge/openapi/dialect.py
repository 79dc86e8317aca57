"""The same document for viewers that stop at OpenAPI 3.0, as swagger-ui 4 does."""

from typing import Any


def for_old_viewers(document: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0.3: null is a mark on a schema there, not a type."""
    return {**_lowered(document), "openapi": "3.0.3"}


def _lowered(node: Any) -> Any:
    if isinstance(node, list):
        return [_lowered(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _lowered(value) for key, value in node.items()}
    kinds = out.get("type")
    if isinstance(kinds, list):
        out["type"] = next(kind for kind in kinds if kind != "null")
        out["nullable"] = "null" in kinds
    if {"type": "null"} in out.get("anyOf", ()):
        out["anyOf"] = [one for one in out["anyOf"] if one != {"type": "null"}]
        out["nullable"] = True
    return out

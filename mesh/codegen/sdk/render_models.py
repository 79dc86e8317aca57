"""Models, their decoders and the errors, as source text."""

from mesh.codegen.sdk.plan import Attribute, Model, Reason
from mesh.codegen.sdk.text import docstring, exported, header, quoted


def models(plan: tuple[Model, ...]) -> str:
    """models.py."""
    lines = [
        header("What the server answers, as values. Times are aware and in UTC."),
        "from __future__ import annotations\n",
        "from dataclasses import dataclass, field\n",
        "from datetime import datetime\n",
        "from typing import Any\n\n",
        exported(model.name for model in plan),
    ]
    for model in plan:
        lines += [
            "\n\n@dataclass(frozen=True, slots=True, kw_only=True)\n",
            f"class {model.name}:\n",
            docstring([model.comment], 4) + "\n",
            *(_attribute(attribute) for attribute in model.attributes),
        ]
    return "".join(lines)


def _attribute(attribute: Attribute) -> str:
    hidden = " = field(repr=False)" if attribute.secret else ""
    comment = docstring([attribute.comment], 4) + "\n" if attribute.comment else ""
    return f"    {attribute.name}: {attribute.annotation}{hidden}\n{comment}"


def decoders(plan: tuple[Model, ...]) -> str:
    """_decode.py."""
    lines = [
        header("JSON to models."),
        "from . import models\nfrom ._runtime import decode\n",
    ]
    for model in plan:
        arguments = "".join(
            f"        {attribute.name}={attribute.decoding},\n" for attribute in model.attributes
        )
        lines += [
            f"\n\ndef {model.decoder}(value: object) -> models.{model.name}:\n",
            f'    """{model.name} from its JSON object; ValueError when it is none."""\n',
            "    data = decode.document(value)\n",
            f"    return models.{model.name}(\n{arguments}    )\n",
        ]
    return "".join(lines)


def errors(plan: tuple[Reason, ...]) -> str:
    """errors.py."""
    lines = [
        header("Why a call failed: one class for each reason of the error body."),
        "from typing import ClassVar\n\nfrom ._runtime.errors import FieldError, LeakyError\n\n",
        exported(
            [*(reason.class_name for reason in plan), "BY_REASON", "FieldError", "LeakyError"]
        ),
    ]
    for reason in plan:
        lines += [
            f"\n\nclass {reason.class_name}(LeakyError):\n",
            docstring([reason.comment], 4),
            f"\n    REASON: ClassVar[str] = {quoted(reason.name)}\n",
        ]
    table = "".join(f"    {quoted(reason.name)}: {reason.class_name},\n" for reason in plan)
    return "".join(lines) + f"\n\nBY_REASON: dict[str, type[LeakyError]] = {{\n{table}}}\n"

"""Pieces of Python source; ruff does the layout afterwards."""

import json
import textwrap
from collections.abc import Iterable

WIDTH = 99


def header(what: str) -> str:
    """A generated module's docstring."""
    return f'"""{what}\n\nGenerated from proto/ by `make gen`; not to be edited.\n"""\n'


def quoted(value: str) -> str:
    """A string literal."""
    return json.dumps(value, ensure_ascii=False)


def docstring(paragraphs: Iterable[str], indent: int) -> str:
    """A docstring of paragraphs, wrapped; one that has its own lines stays as it is."""
    margin = " " * indent
    blocks = [
        block if "\n" in block else textwrap.fill(block, WIDTH - indent - 3, break_on_hyphens=False)
        for block in paragraphs
        if block
    ]
    content = "\n\n".join(blocks).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if content.endswith('"'):
        content = content[:-1] + '\\"'
    closing = "\n" if "\n" in content else ""
    return textwrap.indent(f'"""{content}{closing}"""\n', margin, lambda line: bool(line.strip()))


def hanging(name: str, comment: str, indent: int) -> str:
    """One entry of an Args section."""
    return textwrap.fill(
        f"{name}: {comment}",
        WIDTH - indent,
        initial_indent="    ",
        subsequent_indent="        ",
        break_on_hyphens=False,
    )


def exported(names: Iterable[str]) -> str:
    """`__all__`, sorted."""
    listed = "".join(f"    {quoted(name)},\n" for name in sorted(names))
    return f"__all__ = [\n{listed}]\n"

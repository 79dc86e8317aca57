"""CQL out of the files beside this one."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

FOLDER = Path(__file__).parent
_NAMED = re.compile(r"^-- (\w+)\n(.*?);$", re.MULTILINE | re.DOTALL)


def statements(keyspace: str) -> Mapping[str, str]:
    """Each statement of statements.cql by its name."""
    text = Template((FOLDER / "statements.cql").read_text()).substitute(keyspace=keyspace)
    return dict(_NAMED.findall(text))


def revisions() -> Mapping[str, Path]:
    """The files that make the tables by their number, in order."""
    return {file.name[:4]: file for file in sorted((FOLDER / "revisions").glob("*.cql"))}


def split(text: str) -> Iterator[str]:
    """The statements of a revision, which has no semicolon within one."""
    code = re.sub(r"--.*", "", text)
    for statement in code.split(";"):
        if statement.strip():
            yield statement.strip()

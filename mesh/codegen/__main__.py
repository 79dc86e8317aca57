"""Regenerates gen/ from proto/: `python -m mesh.codegen [--out DIR] [--check]`."""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from mesh.codegen import descriptors, protoc, tree
from mesh.codegen.sdk import package

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Writes everything that is generated below the folder given, gen/ by default.

    With --check nothing is written; stale files are named and the status is 1.
    """
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "gen")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder)
        generate(fresh)
        if not arguments.check:
            tree.update(fresh, arguments.out)
            return 0
        stale = tree.differences(fresh, arguments.out)
    sys.stderr.writelines(f"{arguments.out / name} is stale: run make gen\n" for name in stale)
    return 1 if stale else 0


def generate(out: Path) -> None:
    """Writes all generated files into an empty folder."""
    proto, vendored = ROOT / "proto", ROOT / "build" / "third_party"
    protoc.third_party(vendored)
    schema = descriptors.load(proto, vendored)
    with_services = [file.name for file in schema.files if file.services_by_name]
    protoc.generate(proto, vendored, out, with_services)
    comments = json.dumps(schema.comments, indent=2, ensure_ascii=False)
    (out / "leaky" / "comments.json").write_text(comments + "\n", encoding="utf-8")
    package.write(schema, out, version=package.version(ROOT / "pyproject.toml"))


if __name__ == "__main__":
    sys.exit(main())

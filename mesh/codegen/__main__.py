"""Regenerates gen/ from proto/: `python -m mesh.codegen [--out DIR]`."""

import argparse
import shutil
from pathlib import Path

from mesh.codegen import protoc

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Writes everything that is generated below the folder given, gen/ by default."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "gen")
    out = parser.parse_args().out
    shutil.rmtree(out / "leaky", ignore_errors=True)
    protoc.third_party(ROOT / "build" / "third_party")
    protoc.generate(ROOT / "proto", ROOT / "build" / "third_party", out)


if __name__ == "__main__":
    main()

"""`python -m mesh.cli` is `leaky`; how one process of the system starts another."""

from mesh.cli.main import main

if __name__ == "__main__":
    main()

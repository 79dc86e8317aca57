"""How the edge compares with bare uvicorn and with FastAPI on this machine: `make bench`."""

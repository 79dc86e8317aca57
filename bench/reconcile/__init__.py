"""How long a reconciliation of a large ledger takes, and its longest statement."""

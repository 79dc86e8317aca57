"""Whether balances, ledger, outbox, analytics and payments say the same: a file a comparison."""

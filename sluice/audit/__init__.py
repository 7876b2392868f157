"""Audit: read a ledger again and say what is lost, doubled or damaged. It mends nothing."""

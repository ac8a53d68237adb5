"""Accounting of differential privacy: noise, epsilon, budgets and their ledger; no tensors."""

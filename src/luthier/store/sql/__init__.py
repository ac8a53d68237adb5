"""The database of the store: its address, transactions, tables and queries."""

"""Repeatable measurements: each prints a ratio against a named reference that ran in the same minute on the same machine."""

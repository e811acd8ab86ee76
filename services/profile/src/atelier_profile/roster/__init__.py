"""Rosters from outside, read by pure functions: a OneRoster 1.2 CSV zip in, wanted records and a comparison out.

The OneRoster packages on PyPI in 2026 are clients of the REST service and early ones; none reads and validates the CSV binding, so this
is the standard library's ``zipfile`` and ``csv`` with the tables of the binding written down as data.
"""

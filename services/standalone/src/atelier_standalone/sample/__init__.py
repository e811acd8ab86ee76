"""A plainly fictional district, made from a seed: rosters, framework, evidence and sites in the formats a district would hand over.

Nobody in it exists. Everything is a pure function of the seed: same seed, same bytes.
"""

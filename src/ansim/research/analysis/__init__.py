"""Analyses: methods as pairs of a local and a combining function, and their figures."""

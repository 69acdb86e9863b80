"""Cohorts: the query document, its compiler to SQL, a slow reference engine, and the bounds of an agreement."""

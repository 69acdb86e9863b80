"""Analyses: methods as pairs of a local and a combining function, the node's guard, and figures."""

from ansim.research.analysis.guard import Policy, admissible
from ansim.research.analysis.method import Method
from ansim.research.analysis.methods import METHODS, method, run

__all__ = ["METHODS", "Method", "Policy", "admissible", "method", "run"]

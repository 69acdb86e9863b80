"""Dataset descriptions: what a holder says of its data to everybody, checked before it is said, and found again."""

from ansim.data.catalogue.check import check_description
from ansim.data.catalogue.describe import describe
from ansim.data.catalogue.search import search

__all__ = ["check_description", "describe", "search"]

"""Dataset descriptions: what a holder says of its data to everybody, checked before it is said, and found again."""

from ansim.data.catalogue.check import check_description
from ansim.data.catalogue.describe import describe
from ansim.data.catalogue.index import Index
from ansim.data.catalogue.search import Filters, Found, facets, find, search

__all__ = ["Filters", "Found", "Index", "check_description", "describe", "facets", "find", "search"]

"""Pooled connections to the network: they are bounded in time and memory, and show no key.

This is imported with the package, not later: tests replace parts of requests and urllib3, and the code
here must find the real ones when it is imported.
"""

from .connections import keep_classes
from .response import CompactResponse, reduce_unread
from .session import network_variables, requests_is_replaced, send

__all__ = [
    "CompactResponse",
    "keep_classes",
    "network_variables",
    "reduce_unread",
    "requests_is_replaced",
    "send",
]

"""Pooled connections to the network: they are bounded in time and memory, and show no key."""

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

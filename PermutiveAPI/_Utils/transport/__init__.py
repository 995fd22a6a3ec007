"""Pooled connections to the network: they are bounded in time and memory, and show no key."""

from .connections import keep_classes
from .session import network_variables, requests_is_replaced, send

__all__ = ["keep_classes", "network_variables", "requests_is_replaced", "send"]

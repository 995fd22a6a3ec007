"""The way to the network: pooled connections, bounded in time and memory, that show no key."""

from .connections import keep_classes
from .session import Timeout, requests_is_replaced, send

__all__ = ["Timeout", "keep_classes", "requests_is_replaced", "send"]

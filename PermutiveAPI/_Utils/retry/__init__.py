"""The retry loop, its rules, the outcome of an attempt, and how calls keep to rate limits.

``Call``, ``run`` and ``takes_time`` are imported by the first call.
"""

from typing import TYPE_CHECKING

from ..lazy_names import lazy_names

if TYPE_CHECKING:
    from .call import Call
    from .loop import run
    from .pauses import takes_time
else:
    __getattr__ = lazy_names(
        __name__,
        {"Call": f"{__name__}.call", "run": f"{__name__}.loop", "takes_time": f"{__name__}.pauses"},
    )

__all__ = ["Call", "run", "takes_time"]

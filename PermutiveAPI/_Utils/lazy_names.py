"""Names and modules that are imported when they are first used, so that their users are imported faster."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

_PACKAGE = __name__.partition(".")[0]

# Held during a late import. A fork waits for it: else the child waits forever for the import of a thread
# that it does not have.
_fork_waits = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_fork_waits.acquire,
        after_in_parent=_fork_waits.release,
        after_in_child=_fork_waits.release,
    )

_imported_first: dict[str, ModuleType] = {}


def remember_modules() -> None:
    """Remember the modules of this package that are imported by now."""
    own = [name for name in sys.modules if f"{name}.".startswith(f"{_PACKAGE}.")]
    _imported_first.update((name, sys.modules[name]) for name in own)


@contextmanager
def late_import() -> Generator[None, None, None]:
    """Import a part of this package later than the package, inside this block.

    After ``patch.dict(sys.modules)`` around its first import, the package is no longer in
    ``sys.modules``. Python would import it a second time, with classes of its own. So the modules are put
    back.
    """
    with _fork_waits:
        if sys.modules.get(_PACKAGE) is not _imported_first.get(_PACKAGE):
            sys.modules.update(_own_modules())
        yield


def _own_modules() -> dict[str, ModuleType]:
    """Return the modules of this package, also those that were imported later."""
    found = dict(_imported_first)
    waiting = list(found.values())
    while waiting:
        for each in vars(waiting.pop()).values():
            is_module = type(each) is ModuleType and each.__name__.startswith(f"{_PACKAGE}.")
            if is_module and each.__name__ not in found:
                found[each.__name__] = each
                waiting.append(each)
    return found


def lazy_names(module_name: str, homes: Mapping[str, str | None]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module, which Python calls for a name that the module lacks (PEP 562).

    A name that was imported, or that a test has replaced, is an ordinary name of the module.

    Parameters
    ----------
    module_name : str
        The ``__name__`` of the module.
    homes : mapping
        The names, and the modules that they are imported from. None: the name is itself a module of
        this package.
    """

    def __getattr__(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        home = homes[name]
        with late_import():
            module = import_module(home or f"{module_name}.{name}")
        if home is None:
            return module
        found = getattr(module, name)
        # Another thread may have set it meanwhile.
        return vars(sys.modules[module_name]).setdefault(name, found)

    return __getattr__


class LateModule(ModuleType):
    """A module that is imported when one of its names is first used.

    It stands for a module that only annotations name: ``typing.get_type_hints`` and the tools that use it
    find its types, and nothing is imported before.
    """

    def __getattr__(self, name: str) -> Any:
        """Import the module and return its name."""
        if name.startswith("__"):  # inspect and doctest ask every object for such names.
            raise AttributeError(
                f"module {self.__name__!r} was not imported yet, and has no {name}"
            )
        with late_import():
            return getattr(import_module(self.__name__), name)

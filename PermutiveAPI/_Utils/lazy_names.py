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

# Held during a late import. A fork waits for it. Otherwise the child would wait forever for the import of
# a thread that it does not have.
_import_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_import_lock.acquire,
        after_in_parent=_import_lock.release,
        after_in_child=_import_lock.release,
    )

_first_modules: dict[str, ModuleType] = {}


def remember_modules() -> None:
    """Remember the modules of this package that are imported by now."""
    _first_modules.update((name, sys.modules[name]) for name in _names_now())


def _names_now() -> list[str]:
    return [name for name in [*sys.modules] if f"{name}.".startswith(f"{_PACKAGE}.")]


@contextmanager
def late_import() -> Generator[None, None, None]:
    """Let the block import a part of this package later than the package itself.

    A test may have imported the package inside ``patch.dict(sys.modules)``. Then the package is no longer
    in ``sys.modules``, and Python would import it a second time, with classes of its own. So its modules
    are put back, and those of a second package that a test has imported are removed. If a test replaces
    only the package itself, its stand-in stays: the modules are found without the package.
    """
    with _import_lock:
        if sys.modules.get(__name__) is not _first_modules.get(__name__):
            own = _own_modules()
            sys.modules.update(own)
            for name in set(_names_now()) - set(own):
                del sys.modules[name]
        yield


def _own_modules() -> dict[str, ModuleType]:
    """Return the modules of this package, also those that were imported later."""
    found = dict(_first_modules)
    waiting = list(found.values())
    while waiting:
        for each in [*vars(waiting.pop()).values()]:  # Threads may add names.
            # A LateModule has another type: it is not imported yet.
            is_module = type(each) is ModuleType and each.__name__.startswith(f"{_PACKAGE}.")
            if is_module and each.__name__ not in found:
                found[each.__name__] = each
                waiting.append(each)
    return found


def lazy_names(module_name: str, homes: Mapping[str, str | None]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a module, which Python calls for a name that the module lacks (PEP 562).

    `homes` says from which module each name is imported. None says that the name is itself a module of this
    package. A name that was imported, or that a test has replaced, is an ordinary name of the module.
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

    Annotations can name its types: ``typing.get_type_hints``, and tools such as pydantic, find them.
    """

    def __getattr__(self, name: str) -> Any:
        """Import the module and return its name."""
        if name.startswith("__"):  # inspect and doctest ask every object for such names.
            raise AttributeError(f"module {self.__name__!r} is not imported yet, and has no {name}")
        with late_import():
            return getattr(import_module(self.__name__), name)

"""Users and their aliases.

The classes are not named here: ``PermutiveAPI.Identify.Identity`` is the module.
"""

import typing

from .._Utils import lazy_names

# Code of release 5.4.4 imports these names.
_API_VERSION = "v2.0"
_API_ENDPOINT = "https://api.permutive.com/v2.0/identify"

if not typing.TYPE_CHECKING:  # For a type checker, a module that is not imported is not there.
    __all__ = ["Alias", "Identity"]
    __getattr__ = lazy_names.lazy_names(__name__, dict.fromkeys(__all__))

    def __dir__():
        """List the modules, also those that are not imported yet."""
        return __all__

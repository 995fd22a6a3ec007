"""Users and their aliases.

The classes are not named here: ``PermutiveAPI.Identify.Identity`` is the module.
"""

# Code of release 5.4.4 imports these names.
_API_VERSION = "v2.0"
_API_ENDPOINT = "https://api.permutive.com/v2.0/identify"

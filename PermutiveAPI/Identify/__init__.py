"""Users and their aliases.

The classes are not named here: ``PermutiveAPI.Identify.Identity`` is the module.
"""

# The contract's names, private though the modules beside import them.
_API_VERSION = "v2.0"
_API_ENDPOINT = "https://api.permutive.com/v2.0/identify"

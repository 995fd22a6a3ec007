"""Users and the aliases they are known by.

The classes are not named here: ``PermutiveAPI.Identify.Identity`` is the module.
"""

_API_ENDPOINT = "https://api.permutive.com/v2.0/identify"

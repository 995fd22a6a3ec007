"""A local Permutive service for development, demonstrations and tests.

``Sandbox`` keeps state, starts with believable data and answers on loopback as
Permutive documents it. It needs the extra ``sandbox``.
"""

try:
    from .behaviour import Behaviour
    from .recording import RecordedRequest
    from .server import Sandbox
except ModuleNotFoundError as error:
    # Only what another distribution should have brought is the extra's fault.
    missing = (error.name or "").partition(".")[0]
    if missing == "PermutiveAPI":
        raise
    raise ImportError(
        f"The sandbox needs the package {missing!r}, which is not installed. "
        'Install the extra: pip install "PermutiveAPI[sandbox]"',
        name=error.name,
    ) from error

__all__ = ["Behaviour", "RecordedRequest", "Sandbox"]

"""A local Permutive service for development, demonstrations and tests.

``Sandbox`` stores what clients send, starts with realistic data, and responds on loopback as Permutive
documents. It needs the extra ``sandbox``.
"""

try:
    from .behaviour import Behaviour
    from .recording import RecordedRequest
    from .server import Sandbox
except ModuleNotFoundError as error:
    # An error inside this package is not a missing extra.
    missing = (error.name or "").partition(".")[0]
    if missing == "PermutiveAPI":
        raise
    raise ImportError(
        f"The sandbox needs the package {missing!r}, which is not installed. "
        'Install the extra: pip install "PermutiveAPI[sandbox]"',
        name=error.name,
    ) from error

__all__ = ["Behaviour", "RecordedRequest", "Sandbox"]

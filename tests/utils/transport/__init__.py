"""Unit tests of PermutiveAPI._Utils.transport, one file a module."""

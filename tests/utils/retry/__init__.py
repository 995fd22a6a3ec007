"""Unit tests of PermutiveAPI._Utils.retry, one file a module."""

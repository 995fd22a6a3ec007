"""Unit tests of PermutiveAPI._Utils, one file a module."""

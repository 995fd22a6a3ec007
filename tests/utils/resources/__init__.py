"""Unit tests of PermutiveAPI._Utils.resources, one file a module."""

"""Unit tests of PermutiveAPI._Utils.batch, one file a module."""

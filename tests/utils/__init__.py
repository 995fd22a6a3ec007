"""Unit tests of PermutiveAPI._Utils, one file for each module."""

"""Unit tests of PermutiveAPI._Utils.resources, one file for each module."""

"""Unit tests of PermutiveAPI._Utils.retry, one file for each module."""

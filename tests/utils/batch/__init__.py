"""Unit tests of PermutiveAPI._Utils.batch, one file for each module."""

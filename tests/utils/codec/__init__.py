"""Unit tests of PermutiveAPI._Utils.codec, one file for each module."""

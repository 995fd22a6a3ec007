"""Unit tests of PermutiveAPI._Utils.transport, one file for each module."""

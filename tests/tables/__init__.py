"""Tests of PermutiveAPI.Tables."""

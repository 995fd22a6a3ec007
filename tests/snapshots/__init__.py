"""Tests of PermutiveAPI.snapshots."""

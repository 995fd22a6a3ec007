"""Tests of tables, plans and reports."""

"""Tests of the models as dataclasses: fields, defaults, texts."""

"""Fixtures for the whole suite. Tests mirror the package: tests/<package>/test_<module>.py."""

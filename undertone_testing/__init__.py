"""Conformance tests for plug-ins: a class per extension point, for subclasses that pytest runs."""

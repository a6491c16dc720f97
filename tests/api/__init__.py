"""Tests of the REST API; a package, so that its files may be named like those of the domain's tests."""

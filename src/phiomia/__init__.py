"""Phiomia: a social server that speaks Mastodon's client API."""

"""Phiomia: a social server that speaks Mastodon's client API and ActivityPub."""

__version__ = "0.2.0"

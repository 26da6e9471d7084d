"""Checkouts through Meridian's gateway, beside the same SQL sent by pgbench to the same server."""

from bench.orders.measuring import run

__all__ = ["run"]

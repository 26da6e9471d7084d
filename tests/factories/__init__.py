"""Factories: one module an entity; each adds a row with believable values and flushes."""

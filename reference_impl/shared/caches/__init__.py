"""The adapters of the cache port."""

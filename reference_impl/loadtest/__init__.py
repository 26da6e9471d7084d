"""Load on a running Meridian, as customers make it: browsing, searching, ordering, looking at what they ordered."""

"""Meridian: the commerce platform that the labs point at.

Services under `services/` own their data, publish events and import nothing of each other; `shared/` is what every one of
them is built from; `topologies/` decides how many processes they share.
"""

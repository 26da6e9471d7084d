"""The history of orders: what happened to each, in order, for good. Every other table of this service can be made from it.

`facts` (what can happen), `fold` (what that makes of an order), `decisions` (what may happen next) and `upcast` (older
facts read as today's) are plain functions on values: no database, no clock, no bus. `store` is the only module here that
touches a table.
"""

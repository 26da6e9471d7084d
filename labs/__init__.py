"""The lab engine: read labs, make notebooks from them, and grade what learners hand in.

`catalogue.load()` reads `labs/content`, `grader.grade()` grades a notebook in a fresh sandbox, `verify.verify()` proves a lab.
The engine knows sandboxes only through `sandboxes.interface`; its command line (`python -m labs`) chooses a driver.
"""

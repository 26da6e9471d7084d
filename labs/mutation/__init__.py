"""Whether a lab's checks notice small mistakes: its solution is changed in one place at a time, and each change is graded.

`python.py`, `sql.py` and `go.py` find the changes, `mutants.py` makes mutants of a lab from them and chooses some, `run.py`
grades them, `equivalent.py` reads which changes make no difference that a check could see.
"""

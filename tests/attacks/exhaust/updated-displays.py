"""Multiplies a small output: a thousand displays of one name, all updated at once to a large one."""

from IPython.display import display

publish = get_ipython().display_pub.publish
for _ in range(300):
    publish({"text/plain": ""}, transient={"display_id": "a"})
publish({"text/plain": "x" * 30_000}, transient={"display_id": "a"}, update=True)

"""Displays a widget whose model has no id, for whoever looks the model up."""

LOCAL = True
CELL = "last"
publish = get_ipython().display_pub.publish
for view in ({}, {"model_id": ["x"]}, {"model_id": "</script><script>alert(1)</script>"}):
    publish({"application/vnd.jupyter.widget-view+json": view})

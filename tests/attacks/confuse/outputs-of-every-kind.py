"""Displays outputs of every kind that a page could run: widgets, scripts, frames, pictures that are programs."""

LOCAL = True
publish = get_ipython().display_pub.publish
hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
for kind in (
    "text/html", "text/markdown", "text/latex", "image/svg+xml", "application/javascript", "application/pdf", "text/plain",
    "application/vnd.jupyter.widget-view+json", "application/vnd.bokehjs_exec.v0+json", "application/x-nothing", "image/png",
    "image/jpeg", "application/vnd.plotly.v1+json", "text/vnd.mermaid", "video/mp4", 'x"><script>alert(1)</script>',
):  # fmt: skip
    publish(
        {kind: hostile}, metadata={kind: {"width": '1"><script>1</script>', "isolated": True, "alt": hostile}}
    )
raise RuntimeError(hostile)

"""Takes all permissions away from its folders, so that they stay behind when the sandbox is cleared away."""

LOCAL = True
import os

for start in (os.getcwd(), "/run/sandbox", "/run/sandbox/log"):
    try:
        os.makedirs(f"{start}/closed/inner")
        open(f"{start}/closed/inner/file", "w").close()
        os.chmod(f"{start}/closed/inner", 0)
        os.chmod(f"{start}/closed", 0)
    except OSError:
        pass

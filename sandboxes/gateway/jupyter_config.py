"""Jupyter's configuration inside a sandbox, for `--config=`.

It reads three environment variables, so that the secret in the path is on no command line:

SANDBOX_JUPYTER_SOCKET   the Unix socket to listen on
SANDBOX_WEB_PATH         the base URL, `/s/<id>/<token>/`
SANDBOX_WORKSPACE        the learner's files

SANDBOX_JUPYTER_HOME (default: `jupyter` beside the socket) is where Jupyter may write its own files.

There is no login: whoever knows the path was let in by the gateway, and cookies do not reach an iframe of
another site.
"""

import contextlib
import logging
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import jupyterlab  # type: ignore[import-untyped]
from jupyter_core.paths import jupyter_path
from jupyter_server.auth import IdentityProvider, User
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager

SOCKET = Path(os.environ["SANDBOX_JUPYTER_SOCKET"])
BASE_URL = os.environ["SANDBOX_WEB_PATH"]
HOME = Path(os.environ.get("SANDBOX_JUPYTER_HOME") or SOCKET.parent / "jupyter")
OVERRIDES = str(Path(__file__).resolve().parent / "jupyter_settings")
MAX_BODY = 50 * 1024 * 1024

# What a lab has no use for: it would ask the network, install things, cost seconds of start or megabytes of
# server memory.
DISABLED_PLUGINS = (
    "@jupyterlab/apputils-extension:announcements",
    "@jupyterlab/apputils-extension:licenses-client",
    "@jupyterlab/apputils-extension:licenses-plugin",
    "@jupyterlab/debugger-extension",
    "@jupyterlab/extensionmanager-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/help-extension:jupyter-forum",
    "@jupyterlab/help-extension:licenses-commands",
    "@jupyterlab/help-extension:resources",
    "@jupyterlab/hub-extension",
    "@jupyterlab/lsp-extension",
    "@jupyterlab/notebook-extension:export",
    "@jupyterlab/notebook-extension:language-server",
    "@jupyterlab/notebook-extension:update-raw-mimetype",
    "@jupyterlab/pluginmanager-extension",
    "@jupyter-notebook/notebook-extension:checkpoints",
    "@jupyter-notebook/notebook-extension:close-tab",
)


class Learner(IdentityProvider):
    """Everybody who gets here is the one learner whom the sandbox belongs to; no cookie is set or read."""

    auth_enabled = False

    def get_user(self, handler: Any) -> User:
        return User(username="learner", name="Learner", display_name="Learner", initials="L")

    def validate_security(self, app: Any, ssl_options: Any = None) -> None:
        """The gateway and the mode of the run directory are the security; there is nothing to warn of."""


class WholeFiles(AsyncLargeFileManager):
    """Saves by putting a finished file in the old one's place.

    Jupyter's own way empties the file first and then writes into it: who reads meanwhile finds half a notebook, and a kill or a
    full disk leaves half of one behind.
    """

    @contextlib.contextmanager
    def atomic_writing(
        self, os_path: str, text: bool = True, encoding: str = "utf-8", **named: Any
    ) -> Iterator[IO[Any]]:
        place = Path(os_path).resolve()
        half = place.with_name(f".~{secrets.token_hex(8)}.half")
        with self.perm_to_403(os_path):
            try:
                with half.open("w" if text else "wb", encoding=encoding if text else None, **named) as file:
                    if place.exists():
                        os.fchmod(file.fileno(), place.stat().st_mode & 0o777)
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                half.replace(place)
            except BaseException:
                half.unlink(missing_ok=True)
                raise


def without_path(*arguments: Any, **named: Any) -> logging.LogRecord:
    """A log record without the base URL: the server logs each request that failed, address and all."""
    record = make_record(*arguments, **named)
    record.msg, record.args = record.getMessage().replace(BASE_URL, "/"), None
    if record.exc_info:
        record.exc_text = logging.Formatter().formatException(record.exc_info).replace(BASE_URL, "/")
    return record


def log_failure(handler: Any) -> None:
    """Log failed requests only, and without their path, which holds the token."""
    if handler.get_status() >= 500:
        logging.getLogger("tornado.access").error("%s %s", handler.get_status(), handler.request.method)


def lab_page(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
    """What the front end is told: nothing of the host's paths, and which plugins stay out."""
    disabled = set(page_config.get("disabledExtensions") or ()) | set(DISABLED_PLUGINS)
    return {**page_config, "disabledExtensions": sorted(disabled), "federated_extensions": [], "serverRoot": ""}


make_record = logging.getLogRecordFactory()
if make_record is logging.LogRecord:  # this file is read once for each of Jupyter's applications
    logging.setLogRecordFactory(without_path)

c: Any = get_config()  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.sock = str(SOCKET)
# The gateway may run as another user than the sandbox; the run directory above the socket is what keeps others
# out.
c.ServerApp.sock_mode = "0666"
c.ServerApp.base_url = BASE_URL
c.ServerApp.contents_manager_class = WholeFiles
c.ServerApp.root_dir = os.environ["SANDBOX_WORKSPACE"]
c.ServerApp.default_url = "/tree"
c.ServerApp.open_browser = False
c.ServerApp.allow_root = os.geteuid() == 0
c.ServerApp.allow_remote_access = True
c.ServerApp.disable_check_xsrf = True
c.ServerApp.identity_provider_class = Learner
c.IdentityProvider.token = ""
c.ServerApp.cookie_secret = os.urandom(32)
c.ServerApp.quit_button = False
c.ServerApp.max_body_size = MAX_BODY
c.ServerApp.max_buffer_size = MAX_BODY
c.ServerApp.use_redirect_file = False
c.Application.log_level = logging.WARNING
# Exactly these: what else is installed or configured on the machine stays off.
c.ServerApp.jpserver_extensions = {
    "notebook": True,
    "jupyterlab": True,
    "jupyter_server_terminals": True,
    "notebook_shim": False,
    "jupyter_lsp": False,
    "jupyterlab_jupytext": False,
    "nbclassic": False,
}
c.ServerApp.tornado_settings = {
    "log_function": log_failure,
    "page_config_hook": lab_page,
    # A Unix socket is faster than zlib, and the sandbox's CPU is the learner's.
    "compress_response": False,
    # The gateway asks both sides whether they are still there. Jupyter's own defaults make it warn at each connection, and
    # with a timeout as long as the interval it ends every connection after one interval.
    "ws_ping_interval": 0,
}
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash"] if Path("/bin/bash").exists() else ["/bin/sh"]}

for app in (c.JupyterNotebookApp, c.LabApp):
    app.expose_app_in_browser = True
    app.custom_css = False
    app.app_settings_dir = OVERRIDES
    app.user_settings_dir = str(HOME / "settings")
    app.workspaces_dir = str(HOME / "workspaces")
    app.labextensions_path = []
    app.extra_labextensions_path = []
    app.notebook_starts_kernel = True
# The assets inside the package: no extension manager, no build check, no look at yarn.
c.LabApp.core_mode = True
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
# Both front ends read their settings through JupyterLab's handlers; Notebook's schemas are only in the shared
# folder.
shared_schemas = Path(sys.prefix) / "share" / "jupyter" / "lab" / "schemas"
c.LabApp.schemas_dir = str(
    shared_schemas if shared_schemas.is_dir() else Path(jupyterlab.__file__).parent / "schemas"
)

c.MultiKernelManager.default_kernel_name = "python3"
c.KernelSpecManager.allowed_kernelspecs = {"python3"}
c.KernelSpecManager.ensure_native_kernel = True
# Without IPython's own folder: to ask for it, the server imports all of IPython when the first kernel starts, and answers nobody
# meanwhile.
c.KernelSpecManager.kernel_dirs = jupyter_path("kernels")
c.MappingKernelManager.cull_idle_timeout = 0
c.FileContentsManager.delete_to_trash = False
c.FileContentsManager.always_delete_dir = True
c.NotebookNotary.db_file = ":memory:"

"""What the service `envoy` promises on both drivers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from sandboxes.interface import Driver, Limits, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet, until
from tests.contract.sandboxes.notebooks import execute

pytestmark = pytest.mark.mesh

INSIDE = '''
import http.server, json, os, pathlib, random, socket, threading, time, urllib.error, urllib.request

CONFIG = pathlib.Path(os.environ["ENVOY_CONFIG_DIR"])

def free_port():
    while True:
        port = random.randrange(10_000, 32_000)  # where no outgoing connection can come first
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass

PORT = free_port()

def serve(word):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = word.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def log_message(self, *arguments):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]

BACKENDS = {word: serve(word) for word in ("stable", "canary")}

def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}

def clusters():
    resources = [
        {
            "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            "name": word,
            "connect_timeout": "60s",
            "load_assignment": {
                "cluster_name": word,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}],
            },
        }
        for word, port in BACKENDS.items()
    ]
    (CONFIG / "clusters.yaml").write_text(json.dumps({"resources": resources}))

def listener():
    """Its routes are in a file of their own, named relative to the folder."""
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "shop",
        "rds": {
            "route_config_name": "shop",
            "config_source": {
                "resource_api_version": "V3",
                "path_config_source": {
                    "path": "./routes.yaml", "watched_directory": {"path": "../changes"}
                },
            },
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    resource = {
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
        "name": "shop",
        "address": address(PORT),
        "filter_chains": [{"filters": filters}],
    }
    (CONFIG / "listeners.yaml").write_text(json.dumps({"resources": [resource]}))

def routes(cluster):
    (CONFIG / "routes.yaml").write_text(
        "resources:\\n"
        "- '@type': type.googleapis.com/envoy.config.route.v3.RouteConfiguration\\n"
        "  name: shop\\n"
        "  virtual_hosts:\\n"
        "  - name: all\\n"
        "    domains: ['*']\\n"
        "    routes:\\n"
        "    - match: {prefix: /}\\n"
        f"      route: {{cluster: {cluster}, timeout: 60s}}\\n"
    )

def configure(cluster):
    routes(cluster)
    clusters()
    listener()

def ask():
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=60) as answer:
            return answer.read().decode()
    except OSError as error:
        return str(error)

def until(word, seconds=60):
    deadline = time.monotonic() + seconds
    while (found := ask()) != word and time.monotonic() < deadline:
        time.sleep(0.05)
    return found

def break_clusters():
    (CONFIG / "clusters.yaml").write_text("resources:\\n- '@type': nonsense\\n")

def log():
    return pathlib.Path(os.environ["ENVOY_LOG"]).read_text()

def admin(path):
    with urllib.request.urlopen(os.environ["ENVOY_ADMIN_URL"] + path, timeout=60) as answer:
        return answer.read().decode()
'''


@pytest.fixture(scope="module")
def mesh(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox whose Envoy leads to a server of the learner's."""
    spec = SandboxSpec(
        workspace=tmp_path_factory.mktemp("mesh"),
        services={"envoy": {}},
        image="mesh",
        limits=Limits(memory_mb=1024),
        jupyter=False,
    )
    sandbox = driver.start(spec, quiet)
    try:
        assert not execute(sandbox, INSIDE).errors
        sandbox.call("configure", "stable")
        assert sandbox.call("until", "stable", timeout=90) == "stable"
        yield sandbox
    finally:
        sandbox.stop()


def counter(mesh: Sandbox, name: str) -> int:
    """One of Envoy's counters, read from outside."""
    endpoint = mesh.endpoint("envoy")
    transport = httpx.HTTPTransport(uds=str(endpoint.socket))
    with httpx.Client(transport=transport, base_url=endpoint.facts["base_url"], timeout=60) as client:
        found = client.get("/stats", params={"filter": f"^{name}$", "format": "json"}).json()["stats"]
    values = [each["value"] for each in found if "name" in each]
    return int(values[0]) if values else 0


def test_a_changed_route_is_followed_without_a_restart(mesh: Sandbox) -> None:
    started = json.loads(mesh.call("admin", "/server_info"))["uptime_all_epochs"]
    for word in ("canary", "stable"):
        mesh.call("routes", word)
        assert mesh.call("until", word, timeout=90) == word
    assert int(json.loads(mesh.call("admin", "/server_info"))["uptime_all_epochs"][:-1]) >= int(started[:-1])
    assert mesh.status().services[0].state == "ready"


def test_the_grader_reads_what_the_learners_requests_counted(mesh: Sandbox) -> None:
    before = counter(mesh, "cluster.stable.upstream_rq_200")
    for _ in range(5):
        assert mesh.call("ask") == "stable"
    assert counter(mesh, "cluster.stable.upstream_rq_200") == before + 5


def test_a_file_that_makes_no_sense_changes_nothing_and_is_explained(mesh: Sandbox) -> None:
    before = counter(mesh, "cluster_manager.cds.update_success")
    mesh.call("break_clusters")
    assert until(lambda: "nonsense" in mesh.call("log"), 90), mesh.call("log")
    assert mesh.call("ask") == "stable"
    mesh.call("clusters")
    assert until(lambda: counter(mesh, "cluster_manager.cds.update_success") > before, 90)
    assert mesh.call("ask") == "stable"


def test_envoy_has_one_thread_for_requests(mesh: Sandbox) -> None:
    assert json.loads(mesh.call("admin", "/server_info"))["command_line_options"]["concurrency"] == 1

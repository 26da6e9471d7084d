"""What the tool `go` promises on both drivers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from sandboxes.interface import Driver, Limits, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet

pytestmark = pytest.mark.go

PROGRAM = b"""package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
)

// Sum adds numbers up, each in a goroutine.
func Sum(numbers []int) int {
	var mutex sync.Mutex
	var group sync.WaitGroup
	total := 0
	for _, number := range numbers {
		group.Go(func() {
			mutex.Lock()
			defer mutex.Unlock()
			total += number
		})
	}
	group.Wait()
	return total
}

func main() {
	if err := json.NewEncoder(os.Stdout).Encode(map[string]int{"sum": Sum([]int{1, 2, 3})}); err != nil {
		fmt.Println(err)
	}
}
"""
SERVER = b"""package main

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
)

func main() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	answer, err := http.Get(server.URL)
	if err != nil {
		slog.Error("no answer", "error", err)
		return
	}
	defer answer.Body.Close()
	fmt.Println(answer.StatusCode)
}
"""
TESTS = b"""package main

import "testing"

func TestSum(t *testing.T) {
	if got := Sum([]int{20, 22}); got != 42 {
		t.Fatalf("got %d", got)
	}
}

func BenchmarkSum(b *testing.B) {
	for b.Loop() {
		Sum([]int{1, 2, 3})
	}
}
"""


@pytest.fixture(scope="module")
def workshop(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox with Go and a module in its workspace."""
    spec = SandboxSpec(
        workspace=tmp_path_factory.mktemp("go"),
        services={"go": {}},
        image="go",
        limits=Limits(memory_mb=1024),
        jupyter=False,
    )
    sandbox = driver.start(spec, quiet)
    try:
        sandbox.write("go.mod", b"module shop\n\ngo 1.25\n")
        sandbox.write("main.go", PROGRAM)
        sandbox.write("main_test.go", TESTS)
        yield sandbox
    finally:
        sandbox.stop()


def test_a_program_is_compiled_and_run(workshop: Sandbox) -> None:
    ran = workshop.run(["go", "run", "."], timeout=240)
    assert (ran.exit_code, ran.output) == (0, '{"sum":6}\n')
    built = workshop.run(["bash", "-c", "go build -o shop . && ./shop && go fmt ./..."], timeout=120)
    assert (built.exit_code, built.output) == (0, '{"sum":6}\n')


def test_tests_and_benchmarks_run(workshop: Sandbox) -> None:
    tested = workshop.run(["go", "test", "-v", "-bench=.", "-benchtime=10x", "./..."], timeout=240)
    assert tested.exit_code == 0, tested.output
    assert "--- PASS: TestSum" in tested.output
    assert "BenchmarkSum" in tested.output
    assert workshop.run(["go", "vet", "./..."], timeout=120).exit_code == 0


def test_a_failing_test_fails(workshop: Sandbox) -> None:
    # A module of its own: no part of the others' ./...
    workshop.write("wrong/go.mod", b"module wrong\n\ngo 1.25\n")
    workshop.write(
        "wrong/wrong_test.go",
        b'package wrong\n\nimport "testing"\n\nfunc TestIt(t *testing.T) { t.Fatal("no") }\n',
    )
    failed = workshop.run(["go", "-C", "wrong", "test", "."], timeout=240)
    assert failed.exit_code == 1
    assert "FAIL: TestIt" in failed.output


def test_nothing_is_fetched_and_the_race_detector_says_what_it_needs(workshop: Sandbox) -> None:
    fetched = workshop.run(["go", "get", "example.com/nothing@v1.0.0"], timeout=240)
    assert fetched.exit_code != 0
    assert "GOPROXY=off" in fetched.output
    raced = workshop.run(["go", "test", "-race", "."], timeout=240)
    assert raced.exit_code != 0
    assert "-race requires cgo" in raced.output


def test_a_lab_may_ask_for_the_race_detector(driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> None:
    if driver.name == "local" and shutil.which("gcc") is None:
        pytest.skip("The race detector needs a C compiler: apt-get install gcc libc6-dev")
    spec = SandboxSpec(
        workspace=tmp_path_factory.mktemp("race"),
        services={"go": {"race": "on"}},
        image="go",
        limits=Limits(memory_mb=1024),
        jupyter=False,
    )
    sandbox = driver.start(spec, quiet)
    try:
        sandbox.write("go.mod", b"module shop\n\ngo 1.25\n")
        sandbox.write("main.go", PROGRAM)
        sandbox.write("main_test.go", TESTS)
        clean = sandbox.run(["go", "test", "-race", "."], timeout=400)
        assert clean.exit_code == 0, clean.output
        racing = PROGRAM.replace(b"\t\t\tmutex.Lock()\n\t\t\tdefer mutex.Unlock()\n", b"").replace(
            b"\tvar mutex sync.Mutex\n", b""
        )
        sandbox.write("main.go", racing)
        raced = sandbox.run(["go", "test", "-race", "."], timeout=400)
        assert raced.exit_code != 0
        assert "WARNING: DATA RACE" in raced.output
        # The C compiler is for the detector alone.
        sandbox.write("plain/main.go", SERVER)
        built = sandbox.run(["go", "build", "-o", "serve", "./plain"], timeout=400)
        assert built.exit_code == 0, built.output
        assert (
            "statically linked" in sandbox.run(["sh", "-c", "ldd serve 2>&1 || echo statically linked"]).output
        )
    finally:
        sandbox.stop()


def test_what_was_compiled_once_is_not_compiled_again(workshop: Sandbox) -> None:
    if workshop.driver_name == "docker":  # there the image has compiled the standard library
        workshop.write("server/main.go", SERVER)
    else:
        assert workshop.run(["go", "build", "-o", "shop", "."], timeout=240).exit_code == 0
        workshop.write("server/main.go", PROGRAM.replace(b"[]int{1, 2, 3}", b"[]int{4, 400}"))
    built = workshop.run(["go", "build", "-x", "-o", "serve", "./server"], timeout=240)
    assert built.exit_code == 0, built.output
    assert built.output.count("/compile ") == 1
    assert "404" in workshop.run(["./serve"]).output

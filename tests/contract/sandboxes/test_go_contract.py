"""What the tool `go` promises on both drivers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandboxes.interface import Driver, Limits, Sandbox, SandboxSpec
from tests.contract.sandboxes.conftest import quiet

pytestmark = pytest.mark.go

PROGRAM = b"""package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	server := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(answer).Encode(map[string]int{"sum": Sum([]int{1, 2, 3})})
	}))
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	var document map[string]int
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		panic(err)
	}
	fmt.Println("sum", document["sum"])
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
        sandbox.write("go.mod", b"module shop\n\ngo 1.24\n")
        sandbox.write("main.go", PROGRAM)
        sandbox.write("main_test.go", TESTS)
        yield sandbox
    finally:
        sandbox.stop()


def test_a_program_is_compiled_and_run(workshop: Sandbox) -> None:
    ran = workshop.run(["go", "run", "."], timeout=240)
    assert (ran.exit_code, ran.output) == (0, "sum 6\n")
    built = workshop.run(["bash", "-c", "go build -o shop . && ./shop && gofmt -l ."], timeout=120)
    assert (built.exit_code, built.output) == (0, "sum 6\n")


def test_tests_and_benchmarks_run(workshop: Sandbox) -> None:
    tested = workshop.run(["go", "test", "-v", "-bench=.", "-benchtime=10x", "./..."], timeout=240)
    assert tested.exit_code == 0, tested.output
    assert "--- PASS: TestSum" in tested.output
    assert "BenchmarkSum" in tested.output
    assert workshop.run(["go", "vet", "./..."], timeout=120).exit_code == 0


def test_a_failing_test_fails(workshop: Sandbox) -> None:
    workshop.write(
        "wrong/wrong_test.go",
        b'package wrong\n\nimport "testing"\n\nfunc TestIt(t *testing.T) { t.Fatal("no") }\n',
    )
    failed = workshop.run(["go", "test", "./wrong"], timeout=240)
    assert failed.exit_code == 1
    assert "FAIL: TestIt" in failed.output


def test_nothing_is_fetched_and_the_race_detector_says_what_it_needs(workshop: Sandbox) -> None:
    fetched = workshop.run(["go", "get", "example.com/nothing@v1.0.0"], timeout=60)
    assert fetched.exit_code != 0
    assert "GOPROXY=off" in fetched.output
    raced = workshop.run(["go", "test", "-race", "."], timeout=60)
    assert raced.exit_code != 0
    assert "-race requires cgo" in raced.output


def test_the_compiled_standard_library_is_used(workshop: Sandbox) -> None:
    """Nothing of the standard library that labs use is compiled while a learner waits."""
    if workshop.driver_name == "local":
        pytest.skip("processes on this machine share a cache that begins empty")
    planned = workshop.run(
        [
            "bash",
            "-c",
            "touch -d 2001-01-01 /dev/null; GOCACHE=$HOME/other go build -x -o /dev/null . 2>&1 | grep -c /compile",
        ],
        timeout=240,
    )
    assert planned.output.strip() == "1"

// Package main drives a learner's package through a scenario and writes down what it did. What is right is decided elsewhere.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"
)

// patience bounds every wait for something that a right solution does at once.
const patience = 8 * time.Second

// settle is how long something that must not happen is waited for.
const settle = 40 * time.Millisecond

// main reads the scenarios from the file of the first argument and writes one trace for each into that of the second.
func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	var scenarios []scenario
	if err := json.Unmarshal(text, &scenarios); err != nil {
		fail(err)
	}
	traces := make([]trace, 0, len(scenarios))
	for _, one := range scenarios {
		traces = append(traces, play(one))
	}
	text, err = json.Marshal(traces)
	if err != nil {
		fail(err)
	}
	if err := os.WriteFile(os.Args[2], text, 0o600); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "judge:", err)
	os.Exit(3)
}

// until waits for a condition; whether it came to hold.
func until(holds func() bool) bool { return within(patience, holds) }

// within waits for so long for a condition; whether it came to hold.
func within(limit time.Duration, holds func() bool) bool {
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		if holds() {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// came waits for a channel to give something or be closed; whether it did.
func came[T any](channel <-chan T) bool {
	select {
	case <-channel:
		return true
	case <-time.After(patience):
		return false
	}
}

// leftOver waits for the number of goroutines to fall to what it was before; how many are left beyond.
func leftOver(before int) int {
	until(func() bool { return runtime.NumGoroutine() <= before })
	return max(0, runtime.NumGoroutine()-before)
}

// foreign is a context of somebody else's making: one that is derived from it costs a goroutine until it is cancelled.
type foreign struct {
	context.Context
	done chan struct{}
}

func (f foreign) Done() <-chan struct{} { return f.done }

// asForeign is a foreign context that ends with this one.
func asForeign(ctx context.Context) context.Context {
	done := make(chan struct{})
	context.AfterFunc(ctx, func() { close(done) })
	return foreign{ctx, done}
}

// failure is the error that a scenario gives to one of its parts.
type failure struct{ number int }

func (f *failure) Error() string { return fmt.Sprintf("failure %d", f.number) }

// failuresIn are the numbers of those of `all` that an error wraps.
func failuresIn(err error, all []*failure) []int {
	found := []int{}
	for _, one := range all {
		if errors.Is(err, one) {
			found = append(found, one.number)
		}
	}
	return found
}

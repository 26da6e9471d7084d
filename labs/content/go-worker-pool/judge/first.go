package main

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"lab/first"
)

// source says how one of the sources behaves once it is told to answer.
type source struct {
	Answer   string `json:"answer"`   // empty: it fails
	Stubborn bool   `json:"stubborn"` // it does not look at its context
}

type scenario struct {
	Sources []source `json:"sources"`
	Tell    []int    `json:"tell"`   // these are told to answer, one after the other
	Cancel  bool     `json:"cancel"` // then the caller's context is cancelled
}

type trace struct {
	Started   int    `json:"started"`  // sources that ran at the same time
	Early     bool   `json:"early"`    // it returned before the last one of Tell, or the cancellation
	Returned  bool   `json:"returned"` // it returned while the others still worked
	Ended     bool   `json:"ended"`    // it returned at all
	Answer    string `json:"answer"`
	Failed    bool   `json:"failed"`
	Failures  []int  `json:"failures"`  // the sources whose errors the error wraps
	Cancelled bool   `json:"cancelled"` // the error is that of the caller's context
	Told      int    `json:"told"`      // sources that heard from their context that nobody needs them
	Left      int    `json:"left"`      // goroutines that never ended
}

func play(given scenario) trace {
	var out trace
	before := runtime.NumGoroutine()
	var started, told atomic.Int32
	tell := make([]chan struct{}, len(given.Sources))
	failures := make([]*failure, len(given.Sources))
	sources := make([]first.Source, len(given.Sources))
	for i, one := range given.Sources {
		turn := make(chan struct{})
		tell[i], failures[i] = turn, &failure{i}
		sources[i] = func(ctx context.Context) (string, error) {
			started.Add(1)
			ended := ctx.Done()
			if one.Stubborn {
				ended = nil
			}
			select {
			case <-turn:
			case <-ended:
				told.Add(1)
				return "", ctx.Err()
			}
			if one.Answer == "" {
				return "", failures[i]
			}
			return one.Answer, nil
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	var answer string
	var err error
	go func() {
		defer close(done)
		answer, err = first.First(ctx, sources)
	}()
	isDone := func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
	until(func() bool { return int(started.Load()) == len(sources) || isDone() })
	out.Started = int(started.Load())
	last := len(given.Tell) - 1
	for n, i := range given.Tell {
		if n == last && !given.Cancel {
			out.Early = isDone()
		}
		close(tell[i])
		tell[i] = nil
		if n < last || given.Cancel {
			time.Sleep(settle)
		}
	}
	if given.Cancel {
		out.Early = isDone()
		cancel()
	}
	out.Returned = came(done)
	obedient := 0
	for i, one := range given.Sources {
		if tell[i] != nil && !one.Stubborn {
			obedient++
		}
	}
	if out.Returned {
		until(func() bool { return int(told.Load()) == obedient })
	}
	out.Told = int(told.Load())
	for _, channel := range tell {
		if channel != nil {
			close(channel)
		}
	}
	if out.Ended = came(done); out.Ended {
		out.Answer, out.Failed = answer, err != nil
		out.Failures = failuresIn(err, failures)
		out.Cancelled = errors.Is(err, context.Canceled)
		out.Left = leftOver(before)
	}
	return out
}

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"lab/pool"
)

type scenario struct {
	Answers []int `json:"answers"` // one for each item
	Workers int   `json:"workers"`
	Free    bool  `json:"free"`  // the calls take no time and nobody looks: what they share is seen by the race detector
	Fails   []int `json:"fails"` // Free: these items fail
	// Of those in flight the one at Picks[n], counted in the order of items, is let go in turn n.
	Picks    []int `json:"picks"`
	FailAt   int   `json:"fail_at"`   // in this turn it fails instead; -1: never
	CancelAt int   `json:"cancel_at"` // before this turn the caller's context is cancelled; -1: never
	Foreign  bool  `json:"foreign"`   // the caller's context is not one of the standard library
	Own      bool  `json:"own"`       // what fails says context.Canceled by itself
	Second   bool  `json:"second"`    // after the failure a stubborn one fails too
	Ended    int   `json:"ended"`     // so many times Map is called with a context that has ended before
}

type trace struct {
	Full     bool  `json:"full"`     // as many as allowed were in flight
	Most     int   `json:"most"`     // in flight at the same time
	Crowd    int   `json:"crowd"`    // goroutines beyond the ones in flight
	Started  []int `json:"started"`  // items in the order of their start
	Late     int   `json:"late"`     // items that were started after the failure or the cancellation
	Told     bool  `json:"told"`     // those in flight heard of it from their context
	Deserted bool  `json:"deserted"` // it returned while a call was in flight
	Child    bool  `json:"child"`    // the calls' context has the values of the caller's
	Ended    bool  `json:"ended"`
	Answers  []int `json:"answers"`
	Failed   bool  `json:"failed"`
	Failures []int `json:"failures"`
	Canceled bool  `json:"canceled"` // the error is context.Canceled
	Left     int   `json:"left"`
}

type key struct{}

// call is one item in flight.
type call struct {
	item     int
	answer   chan error // nil: it answers
	stubborn chan struct{}
}

func play(given scenario) trace {
	if given.Free {
		return playFree(given)
	}
	if given.Ended > 0 {
		return playEnded(given)
	}
	var (
		out      trace
		before   = runtime.NumGoroutine()
		mutex    sync.Mutex
		inFlight = map[int]*call{}
		child    = true
		told     atomic.Int32
		failures = []*failure{{0}, {1}}
	)
	fn := func(ctx context.Context, item int) (int, error) {
		mine := &call{item: item, answer: make(chan error, 1), stubborn: make(chan struct{})}
		mutex.Lock()
		out.Started = append(out.Started, item)
		inFlight[item] = mine
		out.Most = max(out.Most, len(inFlight))
		child = child && ctx.Value(key{}) == "caller"
		mutex.Unlock()
		defer func() {
			mutex.Lock()
			defer mutex.Unlock()
			delete(inFlight, item)
		}()
		select {
		case err := <-mine.answer:
			return given.Answers[item], err
		case <-ctx.Done():
			told.Add(1)
			select { // one is held, to see whether somebody waits for it
			case <-mine.stubborn:
				return 0, ctx.Err()
			case err := <-mine.answer:
				return given.Answers[item], err
			}
		}
	}
	flying := func() []int {
		mutex.Lock()
		defer mutex.Unlock()
		items := make([]int, 0, len(inFlight))
		for item := range inFlight {
			items = append(items, item)
		}
		slices.Sort(items)
		return items
	}
	let := func(item int, err error) {
		mutex.Lock()
		mine := inFlight[item]
		mutex.Unlock()
		mine.answer <- err
		until(func() bool { return !slices.Contains(flying(), item) })
	}
	items := make([]int, len(given.Answers))
	for i := range items {
		items[i] = i
	}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "caller"))
	defer cancel()
	caller := ctx
	if given.Foreign {
		caller = asForeign(ctx)
	}
	done := make(chan struct{})
	var answers []int
	var err error
	go func() {
		defer close(done)
		answers, err = pool.Map(caller, items, given.Workers, fn)
	}()
	allowed := max(given.Workers, 1)
	left, began := len(items), len(items)
	for turn, pick := range given.Picks {
		if left == 0 {
			break
		}
		full := within(patience/2, func() bool { return len(flying()) >= min(allowed, left) })
		if turn == 0 {
			out.Full = true
			time.Sleep(settle) // for one more than allowed to start
			out.Crowd = runtime.NumGoroutine() - before - 1 - len(flying())
		}
		if !full { // what follows lets all go
			out.Full = false
			break
		}
		now := flying()
		if turn == given.CancelAt || turn == given.FailAt {
			mutex.Lock()
			began = len(out.Started)
			mutex.Unlock()
			if turn == given.CancelAt {
				cancel()
			} else {
				item := now[pick%len(now)]
				mutex.Lock()
				mine := inFlight[item]
				mutex.Unlock()
				var fault error = failures[0]
				if given.Own {
					fault = fmt.Errorf("%w: %w", failures[0], context.Canceled)
				}
				mine.answer <- fault
				now = slices.DeleteFunc(now, func(one int) bool { return one == item })
			}
			out.Told = until(func() bool { return int(told.Load()) >= len(now) })
			held := now[0]
			mutex.Lock()
			for _, item := range now[1:] {
				if mine := inFlight[item]; mine != nil {
					close(mine.stubborn)
				}
			}
			mine := inFlight[held]
			mutex.Unlock()
			time.Sleep(settle)
			select {
			case <-done:
				out.Deserted = true
			default:
			}
			if given.Second {
				mine.answer <- failures[1]
			} else {
				mine.answer <- nil
			}
			break
		}
		let(now[pick%len(now)], nil)
		left--
	}
	// Whatever still starts is let go, until it is over.
	end := time.Now().Add(patience)
	for finished := false; !finished && time.Now().Before(end); {
		mutex.Lock()
		for _, mine := range inFlight {
			select {
			case mine.answer <- nil:
			default:
			}
		}
		mutex.Unlock()
		select {
		case <-done:
			finished = true
		case <-time.After(time.Millisecond):
		}
		out.Ended = finished
	}
	if out.Ended {
		out.Left = leftOver(before)
		mutex.Lock()
		defer mutex.Unlock()
		out.Child = child
		out.Late = max(0, len(out.Started)-began)
		out.Answers, out.Failed = answers, err != nil
		out.Failures = failuresIn(err, failures)
		out.Canceled = errors.Is(err, context.Canceled)
		return out
	}
	// It never ended, and may still write: nothing is read that it shares.
	return trace{Full: out.Full, Ended: false}
}

func playFree(given scenario) trace {
	var out trace
	before := runtime.NumGoroutine()
	items := make([]int, len(given.Answers))
	for i := range items {
		items[i] = i
	}
	failures := make([]*failure, len(items))
	for _, item := range given.Fails {
		failures[item] = &failure{item}
	}
	done := make(chan struct{})
	var answers []int
	var err error
	go func() {
		defer close(done)
		answers, err = pool.Map(context.Background(), items, given.Workers, func(_ context.Context, item int) (int, error) {
			if failures[item] != nil {
				return 0, failures[item]
			}
			return given.Answers[item], nil
		})
	}()
	if out.Ended = came(done); out.Ended {
		out.Answers, out.Failed = answers, err != nil
		out.Left = leftOver(before)
	}
	return out
}

// playEnded counts as Late the calls that begin although the caller's context has ended before: what a select leaves to chance
// does not come right so many times.
func playEnded(given scenario) trace {
	var calls atomic.Int32
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "caller"))
	cancel()
	before := runtime.NumGoroutine()
	out := trace{Failed: true, Canceled: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range given.Ended {
			_, err := pool.Map(ctx, given.Answers, given.Workers, func(context.Context, int) (int, error) {
				calls.Add(1)
				return 0, nil
			})
			out.Failed = out.Failed && err != nil
			out.Canceled = out.Canceled && errors.Is(err, context.Canceled)
		}
	}()
	if !came(done) {
		return trace{}
	}
	out.Ended = true
	out.Late = int(calls.Load())
	out.Left = leftOver(before)
	return out
}

// Package pool has one Map that is whichever of these implementations a variable names.
package pool

import (
	"context"
	"os"
	"sync"
)

// Map calls fn for each item, at most `workers` at a time, and returns the results in the items' order.
func Map[T, R any](
	ctx context.Context, items []T, workers int, fn func(ctx context.Context, item T) (R, error),
) ([]R, error) {
	switch name := os.Getenv("THE_VARIABLE"); name {
	case "workers":
		return byWorkers(ctx, items, workers, fn)
	case "semaphore":
		return bySemaphore(ctx, items, workers, fn, "", nil)
	case "unbounded":
		return byWorkers(ctx, items, len(items), fn)
	case "one-by-one":
		return byWorkers(ctx, items, 1, fn)
	case "deaf":
		return byWorkers(context.WithoutCancel(ctx), items, workers, fn)
	case "leaves": // with Map in the stack of what stays, for those who look for it there
		nobody := make(chan struct{})
		return bySemaphore(ctx, items, workers, fn, name, func() { <-nobody })
	default:
		return bySemaphore(ctx, items, workers, fn, name, nil)
	}
}

func byWorkers[T, R any](
	ctx context.Context, items []T, workers int, fn func(ctx context.Context, item T) (R, error),
) ([]R, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	results := make([]R, len(items))
	var (
		group sync.WaitGroup
		mutex sync.Mutex
		next  int
	)
	take := func() (int, bool) {
		mutex.Lock()
		defer mutex.Unlock()
		if next == len(items) || ctx.Err() != nil {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(max(workers, 1), len(items)) {
		group.Go(func() {
			for place, more := take(); more; place, more = take() {
				result, err := fn(ctx, items[place])
				if err != nil {
					cancel(err)
					return
				}
				results[place] = result
			}
		})
	}
	group.Wait()
	if next < len(items) || ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return results, nil
}

func bySemaphore[T, R any](
	ctx context.Context, items []T, workers int, fn func(ctx context.Context, item T) (R, error), fault string, stay func(),
) ([]R, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		group    sync.WaitGroup
		mutex    sync.Mutex
		first    error
		results  = make([]R, len(items))
		finished = make([]R, 0, len(items))
		places   = make(chan struct{}, max(workers, 1))
	)
	for place, item := range items {
		if fault == "goes-on" {
			places <- struct{}{}
		} else {
			select {
			case places <- struct{}{}:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				break
			}
		}
		group.Go(func() {
			defer func() { <-places }()
			given := ctx
			if fault == "goes-on" {
				given = context.WithoutCancel(ctx)
			}
			result, err := fn(given, item)
			mutex.Lock()
			defer mutex.Unlock()
			if err != nil {
				if first == nil {
					first = err
				}
				cancel()
				if stay != nil {
					go stay()
				}
				return
			}
			results[place] = result
			finished = append(finished, result)
		})
	}
	group.Wait()
	if fault == "silent" {
		return results, nil
	}
	if first != nil {
		return results, first // beside an error the results are nobody's: the other one that is right returns nil
	}
	if err := ctx.Err(); err != nil {
		return results, err
	}
	if fault == "unordered" {
		return finished, nil
	}
	return results, nil
}

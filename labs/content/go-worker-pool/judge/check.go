package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"lab/check"
)

// page says how the server answers one address.
type page struct {
	Status int  `json:"status"`
	Held   bool `json:"held"`  // it waits for its turn
	Drips  bool `json:"drips"` // it sends a part of the body at once, and the rest never
	Bytes  int  `json:"bytes"`
}

type scenario struct {
	Pages   []page `json:"pages"`
	Broken  int    `json:"broken"` // addresses behind them that no request can be made for
	Closed  int    `json:"closed"` // addresses behind them where nobody listens
	Workers int    `json:"workers"`
	LimitMS int    `json:"limit_ms"`
	Picks   []int  `json:"picks"`   // of those in flight the one at Picks[n] is let go
	Foreign bool   `json:"foreign"` // the caller's context is not one of the standard library
	Cancel  bool   `json:"cancel"`  // instead the caller's context is cancelled
	Again   bool   `json:"again"`   // URLs is called once more with the same client
	Over    int    `json:"over"`    // so many times URLs is called with a context that has ended before
}

type report struct {
	Place  int  `json:"place"` // of the address in the list; -1: there is none such
	Status int  `json:"status"`
	Failed bool `json:"failed"`
}

type trace struct {
	Full        bool     `json:"full"`
	Most        int      `json:"most"`
	Asked       []int    `json:"asked"`    // pages in the order in which they were asked
	Prompt      bool     `json:"prompt"`   // each was reported before the next was let go
	Overlaps    int      `json:"overlaps"` // reports that began before another had ended
	Reports     []report `json:"reports"`
	Dropped     int      `json:"dropped"` // requests whose client went away
	Connections int      `json:"connections"`
	Again       int      `json:"again"` // connections that the second call opened
	Ended       bool     `json:"ended"`
	Late        int      `json:"late"` // reports after it had returned
	Left        int      `json:"left"`
}

func play(given scenario) trace {
	var (
		out      trace
		before   = runtime.NumGoroutine()
		mutex    sync.Mutex
		inFlight = map[int]chan struct{}{}
		asked    []int
		most     int
		dropped  atomic.Int32
		opened   atomic.Int32
	)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		place, err := strconv.Atoi(r.URL.Path[1:])
		if err != nil || place < 0 || place >= len(given.Pages) {
			http.NotFound(w, r)
			return
		}
		this := given.Pages[place]
		turn := make(chan struct{})
		mutex.Lock()
		asked = append(asked, place)
		inFlight[place] = turn
		most = max(most, len(inFlight))
		mutex.Unlock()
		defer func() {
			mutex.Lock()
			defer mutex.Unlock()
			delete(inFlight, place)
		}()
		if this.Held {
			select {
			case <-turn:
			case <-r.Context().Done():
				dropped.Add(1)
				return
			}
		}
		if this.Drips {
			w.Header().Set("Content-Length", strconv.Itoa(this.Bytes+1))
		}
		w.WriteHeader(this.Status)
		_, _ = w.Write(make([]byte, this.Bytes))
		if this.Drips {
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				dropped.Add(1)
			case <-time.After(2 * patience):
			}
		}
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	places := map[string]int{}
	urls := []string{}
	add := func(url string) {
		places[url] = len(urls)
		urls = append(urls, url)
	}
	for i := range given.Pages {
		add(fmt.Sprintf("%s/%d", server.URL, i))
	}
	for i := range given.Broken {
		add(fmt.Sprintf("http://shop\x7f.example/%d", i))
	}
	for i := range given.Closed {
		add(fmt.Sprintf("http://127.0.0.1:1/%d", i))
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	client := &http.Client{Transport: transport}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()

	var busy, overlaps, reported, late atomic.Int32
	var returned atomic.Bool
	seen := make(chan int, 4*len(urls)+4)
	reports := []report{}
	tell := func(result check.Result) {
		if !busy.CompareAndSwap(0, 1) {
			overlaps.Add(1)
			return
		}
		time.Sleep(200 * time.Microsecond) // for another one to begin
		place, known := places[result.URL]
		if !known {
			place = -1
		}
		reports = append(reports, report{place, result.Status, result.Err != nil})
		if returned.Load() {
			late.Add(1)
		}
		busy.Store(0)
		reported.Add(1)
		select {
		case seen <- place:
		default:
		}
	}
	caller := ctx
	if given.Foreign {
		caller = asForeign(ctx)
	}
	if given.Over > 0 {
		cancel()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range max(given.Over, 1) {
			check.URLs(caller, client, urls, given.Workers, time.Duration(given.LimitMS)*time.Millisecond, tell)
		}
		returned.Store(true)
	}()

	flying := func() []int {
		mutex.Lock()
		defer mutex.Unlock()
		now := []int{}
		for _, place := range asked {
			if inFlight[place] != nil && given.Pages[place].Held {
				now = append(now, place)
			}
		}
		return now
	}
	left := len(given.Pages)
	out.Prompt = true
	for turn, pick := range given.Picks {
		full := until(func() bool { return len(flying()) >= min(given.Workers, left) })
		if turn == 0 {
			out.Full = true
			time.Sleep(settle)
		}
		if !full {
			out.Full = false
			break
		}
		now := flying()
		place := now[pick%len(now)]
		mutex.Lock()
		close(inFlight[place])
		mutex.Unlock()
		left--
		for waiting := true; waiting; {
			select {
			case one := <-seen:
				waiting = one != place
			case <-time.After(patience / 2):
				out.Prompt, waiting = false, false
			}
		}
		if !out.Prompt {
			break
		}
	}
	if given.Cancel {
		out.Full = until(func() bool { return len(flying()) >= given.Workers })
		cancel()
	}
	if !out.Prompt || len(given.Picks) > 0 && !out.Full { // let all go, so that it ends
		stop := make(chan struct{})
		go func() {
			for {
				mutex.Lock()
				for place, turn := range inFlight {
					if given.Pages[place].Held {
						select {
						case <-turn:
						default:
							close(turn)
						}
					}
				}
				mutex.Unlock()
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
				}
			}
		}()
		defer close(stop)
	}
	out.Ended = came(done)
	if !out.Ended {
		return trace{Full: out.Full, Prompt: out.Prompt, Ended: false}
	}
	if given.Again {
		before := opened.Load()
		again := make(chan struct{})
		go func() {
			defer close(again)
			check.URLs(ctx, client, urls, given.Workers, time.Duration(given.LimitMS)*time.Millisecond, func(check.Result) {})
		}()
		if !came(again) {
			return trace{Full: out.Full, Prompt: out.Prompt, Ended: false}
		}
		out.Again = int(opened.Load() - before)
	}
	transport.CloseIdleConnections()
	time.Sleep(settle)
	// Who left a request behind has to hear of it: the server would wait for its end.
	until(func() bool {
		mutex.Lock()
		defer mutex.Unlock()
		return len(inFlight) == 0
	})
	gone := int(dropped.Load())
	server.CloseClientConnections()
	server.Close()
	out.Left = leftOver(before)
	mutex.Lock()
	defer mutex.Unlock()
	out.Most, out.Asked = most, asked
	out.Reports = reports
	out.Overlaps, out.Dropped = int(overlaps.Load()), gone
	out.Connections, out.Late = int(opened.Load()), int(late.Load())
	return out
}

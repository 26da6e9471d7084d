// Package main is a service around the learner's Run: it is started, signalled and asked by conduct.py.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"lab/serve"
)

// main takes the grace period in milliseconds, and the names of the files for its port and its end.
func main() {
	grace, err := time.ParseDuration(os.Args[1] + "ms")
	exit(err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	exit(err)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var arrived, ended, deaf, finished atomic.Int32
	hold, leave := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hold":
			arrived.Add(1)
			defer finished.Add(1)
		case "/deaf":
			deaf.Add(1)
			<-hold
			return
		default:
			fmt.Fprintln(w, arrived.Load()+deaf.Load())
			return
		}
		select {
		case <-hold:
			w.Header().Set("Content-Length", "50003")
			_, _ = io.WriteString(w, strings.Repeat("x", 50_000)+"end")
		case <-r.Context().Done():
			ended.Add(1)
		}
	})
	go func() {
		defer close(leave)
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			switch lines.Text() {
			case "go":
				release()
			case "break":
				_ = listener.Close()
			}
		}
	}()
	write(os.Args[2], listener.Addr().(*net.TCPAddr).Port)
	err = serve.Run(ctx, listener, handler, grace)
	deserted := arrived.Load() - finished.Load()
	soon(func() bool { return err == nil || ended.Load() >= arrived.Load() })
	soon(func() bool { return ofRun() == 0 })
	write(os.Args[3], map[string]any{
		"failed": err != nil, "deadline": errors.Is(err, context.DeadlineExceeded), "deserted": deserted, "left": ofRun(),
		"arrived": arrived.Load(), "ended": ended.Load(), "signalled": ctx.Err() != nil,
	})
	// The end of the process would close what Run left open.
	select {
	case <-leave:
	case <-time.After(time.Minute):
	}
}

// soon waits a little for what should be so already.
func soon(holds func() bool) {
	for end := time.Now().Add(2 * time.Second); !holds() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
}

// ofRun counts the goroutines that are in the learner's package, or were started there. That of a connection is net/http's, also
// while it is in a handler that was wrapped there.
func ofRun() int {
	stacks := make([]byte, 1<<20)
	all := strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
	return len(slices.DeleteFunc(all, func(one string) bool {
		return !strings.Contains(one, "lab/serve.") || strings.Contains(one, "created by net/http.(*Server).Serve")
	}))
}

func write(name string, value any) {
	text, err := json.Marshal(value)
	exit(err)
	exit(os.WriteFile(name+".new", text, 0o600))
	exit(os.Rename(name+".new", name))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "judge:", err)
		os.Exit(3)
	}
}

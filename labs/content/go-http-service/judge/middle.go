package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"lab/middle"
)

type request struct {
	Path   string `json:"path"`
	Do     string `json:"do"` // answer, twice, nothing, panic, late, late bare, late flush, abort, flush
	Status int    `json:"status"`
	Text   string `json:"text"`
	ID     string `json:"id"` // that the client sends
}

type scenario struct {
	Requests []request `json:"requests"`
	Together bool      `json:"together"`
}

type answer struct {
	Status int    `json:"status"` // 0: none came
	Type   string `json:"type"`
	ID     string `json:"id"`
	Inner  string `json:"inner"` // the id that the handler found
	Body   string `json:"body"`
	Whole  bool   `json:"whole"`
	Prompt bool   `json:"prompt"` // flush: a first part came before the handler went on
}

type trace struct {
	Answers []answer         `json:"answers"`
	Lines   []map[string]any `json:"lines"`   // of the log
	Outside string           `json:"outside"` // the id in a context of no request
}

// notes is where the log goes.
type notes struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (n *notes) Write(data []byte) (int, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	return n.text.Write(data)
}

func (n *notes) lines() []map[string]any {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	found := []map[string]any{}
	for line := range strings.Lines(n.text.String()) {
		var one map[string]any
		if json.Unmarshal([]byte(line), &one) == nil {
			found = append(found, one)
		}
	}
	return found
}

func play(given scenario) trace {
	var (
		out   trace
		mutex sync.Mutex
		inner = map[string]string{}
		goOn  = make(chan struct{}, len(given.Requests))
	)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var this request
		for _, one := range given.Requests {
			if one.Path == r.URL.Path {
				this = one
			}
		}
		mutex.Lock()
		inner[this.Path] = middle.ID(r.Context())
		mutex.Unlock()
		switch this.Do {
		case "nothing":
		case "panic":
			panic(this.Text)
		case "late", "late bare":
			if this.Do == "late" {
				w.WriteHeader(this.Status)
			}
			_, _ = io.WriteString(w, "begun")
			_ = http.NewResponseController(w).Flush()
			panic(this.Text)
		case "late flush":
			_ = http.NewResponseController(w).Flush()
			panic(this.Text)
		case "twice":
			w.WriteHeader(this.Status)
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, this.Text)
		case "abort":
			panic(http.ErrAbortHandler)
		case "flush":
			_, _ = io.WriteString(w, "first\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				_, _ = fmt.Fprintln(w, "no flush")
				return
			}
			came(goOn)
			_, _ = io.WriteString(w, "second\n")
		default:
			w.WriteHeader(this.Status)
			_, _ = io.WriteString(w, this.Text)
		}
	})
	log := &notes{}
	logger := slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	server := httptest.NewUnstartedServer(middle.Wrap(logger, handler))
	server.Config.ErrorLog = quiet()
	server.Start()
	defer server.Close()
	out.Answers = make([]answer, len(given.Requests))
	var group sync.WaitGroup
	for i, one := range given.Requests {
		ask := func() { out.Answers[i] = asked(server, one, goOn) }
		if given.Together {
			group.Go(ask)
		} else {
			ask()
		}
	}
	group.Wait()
	within(patience/4, func() bool { return len(log.lines()) >= len(given.Requests) })
	time.Sleep(settle)
	mutex.Lock()
	defer mutex.Unlock()
	for i, one := range given.Requests {
		out.Answers[i].Inner = inner[one.Path]
	}
	out.Lines = log.lines()
	out.Outside = middle.ID(context.Background())
	return out
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

func asked(server *httptest.Server, one request, goOn chan struct{}) answer {
	sent, err := http.NewRequest(http.MethodGet, server.URL+one.Path, nil)
	if err != nil {
		fail(err)
	}
	if one.ID != "" {
		sent.Header["X-Request-Id"] = []string{one.ID}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 2 * patience}
	response, err := client.Do(sent)
	if err != nil {
		return answer{}
	}
	defer func() { _ = response.Body.Close() }()
	got := answer{
		Status: response.StatusCode, Type: response.Header.Get("Content-Type"), ID: response.Header.Get("X-Request-ID"),
	}
	reader := bufio.NewReader(response.Body)
	if one.Do == "flush" {
		first := make(chan string, 1)
		go func() {
			line, _ := reader.ReadString('\n')
			first <- line
		}()
		select {
		case line := <-first:
			got.Prompt = line == "first\n"
			goOn <- struct{}{}
		case <-time.After(patience / 2):
			goOn <- struct{}{}
			<-first
		}
	}
	body, err := io.ReadAll(io.LimitReader(reader, 65_536))
	got.Body, got.Whole = strings.ToValidUTF8(string(body), "?"), err == nil
	return got
}

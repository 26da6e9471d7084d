package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"

	"lab/users"
)

type request struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Type   string `json:"type"`
	Body   string `json:"body"`
	Leave  bool   `json:"leave"` // the client goes away while the store works
}

type scenario struct {
	Users    []users.User `json:"users"`  // are there already
	Broken   []string     `json:"broken"` // the store fails for these addresses and ids
	Slow     []string     `json:"slow"`   // and for these it waits for the end of the context
	Secret   string       `json:"secret"` // stands in the store's error
	Requests []request    `json:"requests"`
}

type answer struct {
	Status   int    `json:"status"`
	Type     string `json:"type"`
	Location string `json:"location"`
	Body     string `json:"body"`
	Heard    bool   `json:"heard"` // the store heard that the client had gone
}

type trace struct {
	Answers []answer     `json:"answers"`
	Users   []users.User `json:"users"` // are there in the end
}

// store is a Memory that fails and waits as it is told.
type store struct {
	users.Memory
	given   scenario
	reached chan struct{}
	heard   atomic.Int32
}

func (s *store) try(ctx context.Context, key string) error {
	if slices.Contains(s.given.Broken, key) {
		return errors.New(s.given.Secret)
	}
	if slices.Contains(s.given.Slow, key) {
		s.reached <- struct{}{}
		if came(ctx.Done()) {
			s.heard.Add(1)
		}
		return ctx.Err()
	}
	return nil
}

func (s *store) Add(ctx context.Context, user users.User) (users.User, error) {
	if err := s.try(ctx, user.Email); err != nil {
		return users.User{}, err
	}
	return s.Memory.Add(ctx, user)
}

func (s *store) Get(ctx context.Context, id string) (users.User, error) {
	if err := s.try(ctx, id); err != nil {
		return users.User{}, err
	}
	return s.Memory.Get(ctx, id)
}

func (s *store) List(ctx context.Context, after string, limit int) ([]users.User, error) {
	if err := s.try(ctx, after); err != nil {
		return nil, err
	}
	return s.Memory.List(ctx, after, limit)
}

func (s *store) Remove(ctx context.Context, id string) error {
	if err := s.try(ctx, id); err != nil {
		return err
	}
	return s.Memory.Remove(ctx, id)
}

func play(given scenario) trace {
	var out trace
	shelf := &store{given: given, reached: make(chan struct{}, 64)}
	for _, user := range given.Users {
		_, _ = shelf.Memory.Add(context.Background(), user)
	}
	server := httptest.NewServer(users.Routes(shelf))
	defer server.Close()
	for _, one := range given.Requests {
		out.Answers = append(out.Answers, ask(server, shelf, one))
	}
	out.Users, _ = shelf.Memory.List(context.Background(), "", 10_000)
	return out
}

func ask(server *httptest.Server, shelf *store, one request) answer {
	ctx, leave := context.WithTimeout(context.Background(), 2*patience)
	defer leave()
	asked, err := http.NewRequestWithContext(ctx, one.Method, server.URL+one.Path, strings.NewReader(one.Body))
	if err != nil {
		fail(err)
	}
	if one.Type != "" {
		asked.Header.Set("Content-Type", one.Type)
	}
	if one.Leave {
		before := shelf.heard.Load()
		go func() {
			came(shelf.reached)
			leave()
		}()
		if response, err := server.Client().Do(asked); err == nil {
			_ = response.Body.Close()
		}
		return answer{Heard: until(func() bool { return shelf.heard.Load() > before })}
	}
	response, err := server.Client().Do(asked)
	if err != nil {
		return answer{Status: -1}
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(response.Body, 65_536))
	return answer{
		Status: response.StatusCode, Type: response.Header.Get("Content-Type"),
		Location: response.Header.Get("Location"), Body: strings.ToValidUTF8(string(body), "?"),
	}
}

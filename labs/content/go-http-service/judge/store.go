// Package users is an API of users over HTTP.
package users

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// ErrNotFound says that there is no such user; ErrTaken that another one has the email address.
var (
	ErrNotFound = errors.New("users: not found")
	ErrTaken    = errors.New("users: the email address is taken")
)

// User is one user.
type User struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Store keeps users. Each method returns the context's error when that ends first.
type Store interface {
	Add(ctx context.Context, user User) (User, error)                  // with its ID; or ErrTaken
	Get(ctx context.Context, id string) (User, error)                  // or ErrNotFound
	List(ctx context.Context, after string, limit int) ([]User, error) // by ID, those behind `after`
	Remove(ctx context.Context, id string) error                       // or ErrNotFound
}

// Memory is a Store that forgets.
type Memory struct {
	mutex sync.Mutex
	users []User
	last  int
}

func (m *Memory) Add(_ context.Context, user User) (User, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if slices.ContainsFunc(m.users, func(one User) bool { return one.Email == user.Email }) {
		return User{}, ErrTaken
	}
	m.last++
	user.ID = fmt.Sprintf("u%06d", m.last)
	m.users = append(m.users, user)
	return user, nil
}

func (m *Memory) Get(_ context.Context, id string) (User, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if place, found := m.place(id); found {
		return m.users[place], nil
	}
	return User{}, ErrNotFound
}

func (m *Memory) List(_ context.Context, after string, limit int) ([]User, error) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	place, found := m.place(after)
	if found {
		place++
	}
	return slices.Clone(m.users[place:min(place+limit, len(m.users))]), nil
}

func (m *Memory) Remove(_ context.Context, id string) error {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	place, found := m.place(id)
	if !found {
		return ErrNotFound
	}
	m.users = slices.Delete(m.users, place, place+1)
	return nil
}

func (m *Memory) place(id string) (int, bool) {
	return slices.BinarySearchFunc(m.users, id, func(user User, id string) int { return strings.Compare(user.ID, id) })
}

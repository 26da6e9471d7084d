package users

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/mail"
	"strconv"
)

// Page is what a list of users answers.
type Page struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty"`
}

// Fault is what is wrong with one field.
type Fault struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Problem is an error as the API tells it (RFC 9457). Its title follows from its status.
type Problem struct {
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []Fault `json:"errors,omitempty"`
}

// answer writes a value as JSON.
func answer(w http.ResponseWriter, status int, value any) {
	write(w, status, "application/json", value)
}

// problem refuses a request.
func problem(w http.ResponseWriter, told Problem) {
	told.Title = http.StatusText(told.Status)
	write(w, told.Status, "application/problem+json", told)
}

// refuse tells what an error of the store means to the caller, and nothing that is ours to know.
func refuse(w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		problem(w, Problem{Status: http.StatusNotFound})
	case errors.Is(err, ErrTaken):
		problem(w, Problem{Status: http.StatusConflict, Detail: "Another user has this email address."})
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		problem(w, Problem{Status: http.StatusServiceUnavailable, Detail: "It took too long. Try again."})
	default:
		problem(w, Problem{Status: http.StatusInternalServerError})
	}
}

// limitOf is how many users a request asks for, 20 when it doesn't say; false when that is no number from 1 to 100.
func limitOf(r *http.Request) (int, bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return 20, true
	}
	limit, err := strconv.Atoi(text)
	return limit, err == nil && limit >= 1 && limit <= 100
}

// isAddress says whether a text is an email address, and nothing but the address.
func isAddress(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text
}

func write(w http.ResponseWriter, status int, kind string, value any) {
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

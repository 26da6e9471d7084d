package users

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/mail"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// fault is what is wrong with this implementation; those of "compact" and "indented" are right.
var fault = os.Getenv("THE_VARIABLE")

const maxBody = 64 << 10

// Page is what a list of users answers. Like Fault and Problem it was given, so tests may name it.
type Page struct {
	Users []User `json:"users"`
	Next  string `json:"next,omitempty"`
}

// Fault is what is wrong with one field.
type Fault struct {
	Field  string `json:"field"`
	Detail string `json:"detail"`
}

// Problem is an error as the API tells it (RFC 9457).
type Problem struct {
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Detail string  `json:"detail,omitempty"`
	Errors []Fault `json:"errors,omitempty"`
}

// Routes is the API over this store.
func Routes(store Store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /users", func(w http.ResponseWriter, r *http.Request) { add(w, r, store) })
	mux.HandleFunc("GET /users", func(w http.ResponseWriter, r *http.Request) { list(w, r, store) })
	mux.HandleFunc("GET /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		user, err := store.Get(r.Context(), r.PathValue("id"))
		if err != nil && (fault != "gone-is-null" || !errors.Is(err, ErrNotFound)) {
			refuse(w, err)
			return
		}
		answer(w, http.StatusOK, "application/json", user)
	})
	mux.HandleFunc("DELETE /users/{id}", func(w http.ResponseWriter, r *http.Request) {
		if err := store.Remove(r.Context(), r.PathValue("id")); err != nil {
			refuse(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func add(w http.ResponseWriter, r *http.Request, store Store) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		problem(w, Problem{Status: http.StatusUnsupportedMediaType, Detail: "Send application/json."})
		return
	}
	var given struct {
		Name  string `json:"name"`
		Email string `json:"email"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	if fault != "lenient" {
		decoder.DisallowUnknownFields()
	}
	err := decoder.Decode(&given)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = errors.New("more than one value")
			var large *http.MaxBytesError
			if errors.As(more, &large) {
				err = more
			}
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		problem(w, Problem{Status: http.StatusRequestEntityTooLarge, Detail: "At most 64 KB are read."})
		return
	case err != nil:
		problem(w, Problem{Status: http.StatusBadRequest, Detail: "Send one JSON object with name and email, both texts."})
		return
	}
	name := strings.TrimSpace(given.Name)
	var faults []Fault
	if length := utf8.RuneCountInString(name); length < 1 || length > 100 {
		faults = append(faults, Fault{"name", "has 1 to 100 characters"})
	}
	if parsed, err := mail.ParseAddress(given.Email); err != nil || parsed.Address != given.Email {
		faults = append(faults, Fault{"email", "is an address such as ada@example.com"})
	}
	switch {
	case fault == "unchecked":
		faults = nil
	case fault == "first-fault" && len(faults) > 1:
		faults = faults[:1]
	}
	if faults != nil {
		problem(w, Problem{Status: http.StatusUnprocessableEntity, Errors: faults})
		return
	}
	user, err := store.Add(r.Context(), User{Name: name, Email: given.Email})
	if err != nil {
		refuse(w, err)
		return
	}
	if fault != "no-location" {
		w.Header().Set("Location", "/users/"+user.ID)
	}
	status := http.StatusCreated
	if fault == "created-is-ok" {
		status = http.StatusOK
	}
	answer(w, status, "application/json", user)
}

func list(w http.ResponseWriter, r *http.Request, store Store) {
	limit := 20
	if text := r.URL.Query().Get("limit"); text != "" {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 || number > 100 {
			problem(w, Problem{Status: http.StatusBadRequest, Detail: "limit is a number from 1 to 100."})
			return
		}
		limit = number
	}
	after := r.URL.Query().Get("after")
	if fault == "one-page" {
		after = ""
	}
	found, err := store.List(r.Context(), after, limit+1)
	if err != nil {
		refuse(w, err)
		return
	}
	page := Page{Users: []User{}}
	page.Users = append(page.Users, found[:min(limit, len(found))]...)
	if len(found) > limit {
		page.Next = found[limit-1].ID
	}
	answer(w, http.StatusOK, "application/json", page)
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
		told := Problem{Status: http.StatusInternalServerError}
		if fault == "tells-too-much" {
			told.Detail = err.Error()
		}
		problem(w, told)
	}
}

func problem(w http.ResponseWriter, told Problem) {
	told.Title = http.StatusText(told.Status)
	answer(w, told.Status, "application/problem+json", told)
}

func answer(w http.ResponseWriter, status int, kind string, value any) {
	if fault == "indented" {
		kind += "; charset=utf-8"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	if fault == "indented" {
		encoder.SetIndent("", "    ")
	}
	_ = encoder.Encode(value)
}

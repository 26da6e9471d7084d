package middle

import (
	"log/slog"
	"net/http"
	"regexp"
)

// wellFormed matches the ids of clients that are kept.
var wellFormed = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// recorder notes what status an answer has, the first that was written, and whether it has begun.
type recorder struct {
	http.ResponseWriter
	status int
	begun  bool
}

func (r *recorder) WriteHeader(status int) {
	if !r.begun && status >= 200 {
		r.status, r.begun = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	if !r.begun {
		r.WriteHeader(http.StatusOK)
	}
	return r.ResponseWriter.Write(data)
}

// note writes the line about a request; `panicked` is what recover gave, nil when nothing had happened.
func note(logger *slog.Logger, r *http.Request, id string, status int, panicked any) {
	level := slog.LevelInfo
	attributes := []slog.Attr{
		slog.String("id", id), slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", status),
	}
	if panicked != nil {
		level = slog.LevelError
		attributes = append(attributes, slog.Any("panic", panicked))
	}
	logger.LogAttrs(r.Context(), level, "request", attributes...)
}

package users_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lab/users"
)

// told is what an answer can say.
type told struct {
	ID, Name, Email string                           // of a user
	Users           []users.User                     // of a page
	Next            string                           // of a page
	Errors          []struct{ Field, Detail string } // of a problem
}

// ask sends a request, with a body as JSON when there is one, and gives the answer and what it says.
func ask(t *testing.T, routes http.Handler, method, path, body string) (*httptest.ResponseRecorder, told) {
	t.Helper()
	if !strings.HasPrefix(path, "/") {
		t.Fatalf("%s %q: that is no address", method, path)
	}
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer := httptest.NewRecorder()
	routes.ServeHTTP(answer, request)
	var said told
	_ = json.Unmarshal(answer.Body.Bytes(), &said)
	return answer, said
}

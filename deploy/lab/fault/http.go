package fault

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// maxOrder bounds the body of an order, in bytes.
const maxOrder = 64 << 10

// Handler takes orders: POST /faults, GET /faults, DELETE /faults/{id}. What is
// not valid is answered with 400 and what would be.
func (s *Set) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /faults", s.post)
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		list := s.List()
		if list == nil {
			list = []Fault{}
		}
		answer(w, http.StatusOK, list)
	})
	mux.HandleFunc("DELETE /faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		if !s.Delete(r.PathValue("id")) {
			answer(w, http.StatusNotFound, problem{"no fault with this id is in force"})
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

type problem struct {
	Error string `json:"error"`
}

func (s *Set) post(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOrder))
	if err != nil {
		answer(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	f, err := Parse(body)
	if err == nil {
		f, err = s.Add(f)
	}
	switch {
	case errors.Is(err, ErrInvalid):
		answer(w, http.StatusBadRequest, problem{err.Error()})
	case err != nil:
		answer(w, http.StatusConflict, problem{err.Error()})
	default:
		answer(w, http.StatusCreated, f)
	}
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) // a client that has gone is none of ours
}

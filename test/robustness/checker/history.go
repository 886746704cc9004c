// One call of a history, as the traffic writes it down, and what is known of a key's history as a whole.

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
)

// Never is the return of a call whose outcome is unknown: it may take effect at any time.
const Never = math.MaxInt64 / 4

// Call is one line of a history. Times are microseconds of one monotonic clock.
type Call struct {
	Client  int    `json:"client"`
	Op      string `json:"op"` // get, head, ttl, peek, put, create, cas, delete, release, expire, persist, increment
	Key     string `json:"key"`
	Value   string `json:"value"`   // that a write sets: unique in the history
	By      int64  `json:"by"`      // that an increment adds
	IfMatch string `json:"ifMatch"` // the etag that a cas or a release asks for
	If      string `json:"if"`      // nx, xx, gt or lt, of an expire
	TTLMs   int64  `json:"ttlMs"`   // of an expire, or a write, or a counter that an increment makes; 0 is none
	KeepTTL bool   `json:"keepTtl"` // of a put
	Invoke  int64  `json:"invoke"`
	Return  int64  `json:"return"`
	Outcome string `json:"outcome"` // ok, not_applied or unknown
	Held    bool   `json:"held"`    // whether it found its entry, or its condition held
	Got     Answer `json:"got"`
	// The wall clock, in which expiries are given, minus the clock of the history, in microseconds.
	ClockOffset int64 `json:"clockOffset"`
	// By when it has taken effect, if ever: its return, or Never, or the return of the first read that has seen it.
	end int64
}

// Answer is what a call was told.
type Answer struct {
	Value     string `json:"value"` // of a counter what an increment has made of it
	Etag      string `json:"etag"`
	ExpiresAt int64  `json:"expiresAt"` // epoch milliseconds; 0 is never
	Refused   bool   `json:"refused"`   // an expire's condition did not hold, though the entry was there
}

func (c *Call) sets() bool { return c.Op == "put" || c.Op == "create" || c.Op == "cas" }

func (c *Call) deletes() bool { return c.Op == "delete" || c.Op == "release" }

func (c *Call) reads() bool {
	return c.Op == "get" || c.Op == "head" || c.Op == "ttl" || c.Op == "peek"
}

// mayChange tells whether it has changed its entry, or may have.
func (c *Call) mayChange() bool {
	return !c.reads() && (c.Outcome == "unknown" || (c.Outcome == "ok" && c.Held))
}

func (c *Call) acknowledged() bool { return c.Outcome == "ok" && c.Held && !c.reads() }

// ReadCalls reads a history and groups it by key.
func ReadCalls(in io.Reader) (map[string][]*Call, error) {
	calls := map[string][]*Call{}
	decoder := json.NewDecoder(bufio.NewReaderSize(in, 1<<20))
	for {
		call := &Call{}
		if err := decoder.Decode(call); err == io.EOF {
			return calls, nil
		} else if err != nil {
			return nil, err
		}
		calls[call.Key] = append(calls[call.Key], call)
	}
}

// History is what happened to one key.
type History struct {
	Calls []*Call
	// Etags by value, and the reverse, as answers have told them.
	Etags  map[string]string
	Values map[string]string
	// Whether it is a counter that is incremented: its values are nobody's own.
	counts bool
}

// NewHistory learns what the answers tell of the writes.
func NewHistory(calls []*Call) *History {
	h := &History{Calls: calls, Etags: map[string]string{}, Values: map[string]string{}}
	seen := map[string]int64{}
	for _, c := range calls {
		h.counts = h.counts || c.Op == "increment"
	}
	for _, c := range calls {
		c.end = c.Return
		if c.Outcome == "unknown" {
			c.end = Never
		}
		if c.Outcome != "ok" || !c.Held {
			continue
		}
		if c.Op == "increment" {
			h.learn(c.Got.Value, c.Got.Etag)
		} else if c.Op == "get" && !h.counts {
			h.learn(c.Got.Value, c.Got.Etag)
			if at, ok := seen[c.Got.Value]; !ok || c.Return < at {
				seen[c.Got.Value] = c.Return
			}
		} else if c.sets() {
			h.learn(c.Value, c.Got.Etag)
		}
	}
	for _, c := range calls {
		if at, ok := seen[c.Value]; ok && c.sets() {
			c.end = max(c.Invoke, min(c.end, at))
		}
	}
	return h
}

func (h *History) learn(value, etag string) {
	if _, ok := h.Etags[value]; !ok {
		h.Etags[value] = etag
	}
	if _, ok := h.Values[etag]; !ok {
		h.Values[etag] = value
	}
}

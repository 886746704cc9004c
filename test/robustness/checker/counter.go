// Counters: keys that are incremented, whose value is a number in decimal text, and keys that clients count in by reading
// a value that begins with a number and swapping it for the next.

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// add is the counter after the increment. One that is not there is made, and has the expiry that the call gives it.
func add(c *Call, live, gone []State) []State {
	var next []State
	for _, s := range live {
		s.Value, s.Etag = sum(s.Value, c.By), c.Got.Etag
		next = append(next, s)
	}
	for _, before := range gone {
		s := State{Present: true, Value: sum("0", c.By), Etag: c.Got.Etag, Now: before.Now}
		if c.TTLMs > 0 {
			s.expireAfter(c)
		}
		next = append(next, s)
	}
	return next
}

func sum(value string, by int64) string {
	number, _ := strconv.ParseInt(value, 10, 64)
	return strconv.FormatInt(number+by, 10)
}

// told keeps the states that the increment's answer tells of.
func told(c *Call, states []State) []State {
	var next []State
	for _, s := range states {
		if s.Value != c.Got.Value || s.Expires != (c.Got.ExpiresAt != 0) {
			continue
		}
		if s.Expires && !s.pin(c) {
			continue
		}
		next = append(next, s)
	}
	return next
}

// counter holds what was counted in a key that nothing removes against its last reading.
func (h *History) counter() []Violation {
	key := h.Calls[0].Key
	if !strings.HasPrefix(key, "counter") && !strings.HasPrefix(key, "sum") {
		return nil
	}
	acknowledged, unknown, last := int64(0), int64(0), (*Call)(nil)
	for _, c := range h.Calls {
		by := max(1, c.By)
		switch {
		case c.acknowledged():
			acknowledged += by
		case c.Outcome == "unknown" && !c.reads():
			unknown += by
		case c.Op == "get" && c.Outcome == "ok" && (last == nil || c.Invoke > last.Return):
			last = c
		}
	}
	if last == nil {
		return nil
	}
	number, _, _ := strings.Cut(last.Got.Value, "-")
	count, _ := strconv.ParseInt(number, 10, 64)
	if count >= acknowledged && count <= acknowledged+unknown {
		return nil
	}
	kind := "lost"
	if count > acknowledged+unknown {
		kind = "doubled"
	}
	detail := fmt.Sprintf("%d after %d was counted, and %d with unknown outcome", count, acknowledged, unknown)
	return []Violation{{Kind: kind, Key: key, Detail: detail}}
}

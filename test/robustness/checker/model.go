// What one key may do: the model against which porcupine holds its history.
//
// Time. An entry with a TTL is gone at an instant that the database chose between the write's call and its return. The
// state keeps the bounds of that instant, which answers narrow down, and the earliest
// time at which the next call can take effect: calls take effect in the order that porcupine tries, each between its
// call and its return. A call that finds the entry must be able to take effect before the instant, one that does not
// find it must be able to do so after it.

package main

import "github.com/anishathalye/porcupine"

// State is an entry, as far as it is known.
type State struct {
	Present bool
	Value   string
	Etag    string // empty: not known yet
	Expires bool
	At      int64 // the instant in epoch milliseconds; 0: not known yet
	From    int64 // bounds of the instant, by the history's clock
	To      int64
	Now     int64 // nothing that follows takes effect earlier
}

// Model is the model of the one key that the history is about.
func (h *History) Model() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Init: func() []interface{} { return []interface{}{State{}} },
		Step: func(state, input, output interface{}) []interface{} {
			var next []interface{}
			for _, s := range h.step(state.(State), input.(*Call)) {
				next = append(next, s)
			}
			return next
		},
		Equal:             func(a, b interface{}) bool { return a == b },
		DescribeOperation: func(input, output interface{}) string { return describeCall(input.(*Call)) },
		DescribeState:     func(state interface{}) string { return describeState(state.(State)) },
	}
	return model.ToModel()
}

// Operations are the calls that can have had an effect, or have seen one.
func (h *History) Operations() []porcupine.Operation {
	var operations []porcupine.Operation
	for _, c := range h.Calls {
		// What a replica has is not of the time at which it is asked.
		if c.Op != "peek" && (c.Outcome == "ok" || c.mayChange()) {
			operations = append(operations, porcupine.Operation{
				ClientId: c.Client, Input: c, Call: c.Invoke, Output: c, Return: c.end,
			})
		}
	}
	return operations
}

// step gives the states after a call; none if it can't take effect now. One whose outcome is unknown does what it can:
// that it does nothing is the same as taking effect after everything else.
func (h *History) step(s State, c *Call) []State {
	if c.Invoke > s.Now {
		s.Now = c.Invoke
	}
	if s.Now > c.end {
		return nil
	}
	live, gone := h.live(s), h.gone(s, c)
	if c.Outcome == "unknown" {
		return h.unknown(s, c, live, gone)
	}
	switch c.Op {
	case "get", "head", "ttl":
		if !c.Held {
			return gone
		}
		return h.found(live, c)
	case "put":
		return h.put(c, live, gone)
	case "create":
		if !c.Held {
			return live
		}
		return h.set(gone, c)
	case "cas":
		matching, others := h.match(live, c.IfMatch)
		if !c.Held {
			return append(others, gone...)
		}
		return h.set(matching, c)
	case "delete":
		return []State{{Now: s.Now}}
	case "release":
		matching, others := h.match(live, c.IfMatch)
		if !c.Held {
			return append(others, gone...)
		}
		return remove(matching)
	case "expire":
		switch {
		case c.Held:
			return expire(live, c)
		case c.Got.Refused:
			return refuse(live, c)
		}
		return gone
	case "persist":
		if !c.Held {
			return gone
		}
		return persist(live)
	case "increment":
		return told(c, add(c, live, gone))
	}
	panic("unknown operation " + c.Op)
}

func (h *History) unknown(s State, c *Call, live, gone []State) []State {
	var next []State
	switch c.Op {
	case "put":
		next = h.put(c, live, gone)
	case "create":
		next = h.set(gone, c)
	case "cas":
		matching, _ := h.match(live, c.IfMatch)
		next = h.set(matching, c)
	case "delete":
		next = []State{{Now: s.Now}}
	case "release":
		matching, _ := h.match(live, c.IfMatch)
		next = remove(matching)
	case "expire":
		next = expire(live, c)
	case "persist":
		next = persist(live)
	case "increment":
		next = add(c, live, gone)
	}
	if len(next) == 0 {
		return []State{s}
	}
	return next
}

// live is the state if the entry is there and has not expired.
func (h *History) live(s State) []State {
	if !s.Present {
		return nil
	}
	if s.Expires {
		if s.Now > s.To {
			return nil
		}
		s.From = max(s.From, s.Now)
	}
	return []State{s}
}

// gone is the state if the entry is not there, or has expired.
func (h *History) gone(s State, c *Call) []State {
	if !s.Present {
		return []State{s}
	}
	if !s.Expires || s.From > c.end {
		return nil
	}
	return []State{{Now: max(s.Now, s.From)}}
}

// match divides the states by whether they have the version. One that nobody has met may have any that is not known
// to be another value's.
func (h *History) match(states []State, etag string) (matching, others []State) {
	for _, s := range states {
		_, taken := h.Values[etag]
		if s.Etag == etag || (s.Etag == "" && !taken) {
			matched := s
			matched.Etag = etag
			matching = append(matching, matched)
		}
		if s.Etag != etag {
			others = append(others, s)
		}
	}
	return matching, others
}

// found keeps the states that an answer tells of.
func (h *History) found(states []State, c *Call) []State {
	if c.Op != "ttl" {
		states, _ = h.match(states, c.Got.Etag)
	}
	var next []State
	for _, s := range states {
		if c.Op == "get" && s.Value != c.Got.Value {
			continue
		}
		if s.Expires != (c.Got.ExpiresAt != 0) {
			continue
		}
		if s.Expires && !s.pin(c) {
			continue
		}
		next = append(next, s)
	}
	return next
}

// put replaces the entry, live or not; with keep_ttl it matters which.
func (h *History) put(c *Call, live, gone []State) []State {
	if !c.KeepTTL {
		if len(live) > 0 {
			return h.set(live, c)
		}
		return h.set(gone, c)
	}
	next := h.set(gone, c)
	for _, s := range live {
		s.Value, s.Etag = c.Value, h.Etags[c.Value]
		next = append(next, s)
	}
	return next
}

// set is the entry that the call writes, after each of the states.
func (h *History) set(states []State, c *Call) []State {
	var next []State
	for _, before := range states {
		s := State{Present: true, Value: c.Value, Etag: h.Etags[c.Value], Now: before.Now}
		if c.TTLMs > 0 {
			s.expireAfter(c)
		}
		next = append(next, s)
	}
	return next
}

// remove leaves nothing, after each of the states.
func remove(states []State) []State {
	var next []State
	for _, before := range states {
		next = append(next, State{Now: before.Now})
	}
	return next
}

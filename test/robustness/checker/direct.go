// What can be told without a model, in words that say what went wrong: each of these makes a history not linearizable too.

package main

import "fmt"

// Violation is something that must not have happened.
type Violation struct {
	Kind   string `json:"kind"`
	Key    string `json:"key"`
	Detail string `json:"detail"`
}

// Direct finds what was lost, what happened twice, what was read too late, and what was false.
func (h *History) Direct() []Violation {
	if h.counts {
		return h.counter()
	}
	var found []Violation
	report := func(kind, format string, values ...interface{}) {
		found = append(found, Violation{Kind: kind, Key: h.Calls[0].Key, Detail: fmt.Sprintf(format, values...)})
	}
	writes := map[string]*Call{}
	for _, c := range h.Calls {
		if c.sets() {
			writes[c.Value] = c
		}
	}
	told := map[*Call]bool{}
	for _, r := range h.Calls {
		if r.Op == "peek" && r.Outcome == "ok" {
			h.peeked(r, writes[r.Got.Value], report)
		}
		if r.Op != "get" || r.Outcome != "ok" {
			continue
		}
		if !r.Held {
			if w := h.missing(r); w != nil && !told[w] {
				told[w] = true
				report(h.lostOrStale(w, r), "%s was acknowledged and is gone at %d", describeCall(w), r.Invoke)
			}
			continue
		}
		v := writes[r.Got.Value]
		switch {
		case v == nil:
			report("false", "%s was never written", r.Got.Value)
		case v.Outcome == "not_applied" || (v.Outcome == "ok" && !v.Held):
			if !told[v] {
				told[v] = true
				report("false", "%s was said not to have happened and is there", describeCall(v))
			}
		case h.Etags[r.Got.Value] != r.Got.Etag || h.Values[r.Got.Etag] != r.Got.Value:
			report("false", "%s has two versions, or its version two values", r.Got.Value)
		default:
			h.returned(r, v, told, report)
		}
	}
	return append(found, h.counter()...)
}

// missing finds an acknowledged write whose entry a read did not find, though nothing can have removed it.
func (h *History) missing(r *Call) *Call {
	for _, w := range h.Calls {
		if !w.sets() || !w.acknowledged() || w.TTLMs > 0 || w.KeepTTL || w.Return >= r.Invoke {
			continue
		}
		if !h.removed(w, r) {
			return w
		}
	}
	return nil
}

func (h *History) removed(w, r *Call) bool {
	for _, d := range h.Calls {
		removes := d.deletes() || d.Op == "expire" || (d.sets() && (d.TTLMs > 0 || d.KeepTTL))
		if removes && d.mayChange() && d.end > w.Invoke && d.Invoke < r.Return {
			return true
		}
	}
	return false
}

// returned finds a write that a read has seen though another had followed it: that one is lost, or the first was done
// twice if the other had been seen.
func (h *History) returned(r, v *Call, told map[*Call]bool, report func(string, string, ...interface{})) {
	for _, w := range h.Calls {
		follows := w.acknowledged() && (w.sets() || w.deletes()) && v.end < w.Invoke && w.end < r.Invoke
		if !follows {
			continue
		}
		if h.wasSeen(w, r) && h.lostOrStale(w, r) == "lost" {
			if !told[v] {
				told[v] = true
				report("doubled", "%s is there again at %d, after %s was seen", describeCall(v), r.Invoke, describeCall(w))
			}
			return
		}
		if !told[w] {
			told[w] = true
			report(h.lostOrStale(w, r), "%s was acknowledged and %s is there at %d", describeCall(w), v.Value, r.Invoke)
		}
		return
	}
}

// lostOrStale tells what it means that a read has not seen a write: whoever sees it later, or another that had followed it
// by then, shows that it was not lost.
func (h *History) lostOrStale(w, r *Call) string {
	shows := map[string]bool{w.Value: w.sets()}
	for _, v := range h.Calls {
		if v.sets() && v.acknowledged() && v.Invoke > w.Return && v.Return < r.Invoke {
			shows[v.Value] = true
		}
	}
	for _, later := range h.Calls {
		if later.Op == "get" && later.Held && later.Invoke > r.Return && shows[later.Got.Value] {
			return "stale"
		}
	}
	return "lost"
}

// wasSeen tells whether a read had found what the write made, before another began.
func (h *History) wasSeen(w, before *Call) bool {
	for _, r := range h.Calls {
		if r.Op != "get" || r.Outcome != "ok" || r.Return >= before.Invoke {
			continue
		}
		if (w.sets() && r.Held && r.Got.Value == w.Value) || (w.deletes() && !r.Held && r.Invoke > w.end) {
			return true
		}
	}
	return false
}

// Lag is what a read of a replica may miss, in microseconds: a replica that is ten seconds behind is not asked, once that
// is noticed.
const Lag = 15_000_000

// peeked finds a read of what a replica has that is older than it may be, or shows what never was.
func (h *History) peeked(p, v *Call, report func(string, string, ...interface{})) {
	as := *p
	as.Invoke -= Lag
	switch {
	case !p.Held:
		if w := h.missing(&as); w != nil {
			report("stale", "%s was acknowledged and a replica lacks it at %d", describeCall(w), p.Invoke)
		}
	case v == nil:
		report("false", "%s was never written", p.Got.Value)
	case v.Outcome == "not_applied" || (v.Outcome == "ok" && !v.Held):
		report("false", "%s was said not to have happened and a replica has it", describeCall(v))
	default:
		for _, w := range h.Calls {
			if w.acknowledged() && (w.sets() || w.deletes()) && v.end < w.Invoke && w.end < as.Invoke {
				report("stale", "%s was acknowledged and a replica has %s at %d", describeCall(w), v.Value, p.Invoke)
				return
			}
		}
	}
}

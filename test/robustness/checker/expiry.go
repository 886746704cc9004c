// What calls do to expiries, and what they tell of them. An instant is known by its bounds until an answer tells it.

package main

// Slack, in microseconds: what the clocks of the history and the database may differ by over a TTL of seconds. One
// machine, so one clock; but the history's is monotonic, and the wall clock is read in whole milliseconds by both sides.
const Slack = 3000

// expire sets the expiry where its condition can hold.
func expire(states []State, c *Call) []State {
	var next []State
	for _, before := range states {
		after := before
		after.expireAfter(c)
		if c.Outcome == "ok" && !after.pin(c) {
			continue
		}
		if allows(c.If, before, after) {
			next = append(next, after)
		}
	}
	return next
}

// allows tells whether the condition of an expire can hold. No expiry is infinitely far away, as in Redis.
func allows(condition string, before, after State) bool {
	switch condition {
	case "nx":
		return !before.Expires
	case "xx":
		return before.Expires
	case "gt":
		return before.Expires && before.canPrecede(after)
	case "lt":
		return !before.Expires || after.canPrecede(before)
	}
	return true
}

// canPrecede tells whether the instant can be before another's.
func (s State) canPrecede(other State) bool {
	if s.At != 0 && other.At != 0 {
		return s.At < other.At
	}
	return s.From <= other.To
}

// refuse keeps the states in which the condition of an expire can fail, and what that tells of their instants.
func refuse(states []State, c *Call) []State {
	var asked State
	asked.expireAfter(c)
	var next []State
	for _, s := range states {
		fails := false
		switch c.If {
		case "nx":
			fails = s.Expires
		case "xx":
			fails = !s.Expires
		case "gt":
			if s.Expires {
				s.From = max(s.From, asked.From)
			}
			fails = !s.Expires || s.From <= s.To
		case "lt":
			s.To = min(s.To, asked.To)
			fails = s.Expires && s.From <= s.To
		}
		if fails {
			next = append(next, s)
		}
	}
	return next
}

func persist(states []State) []State {
	var next []State
	for _, s := range states {
		s.Expires, s.At, s.From, s.To = false, 0, 0, 0
		next = append(next, s)
	}
	return next
}

// expireAfter sets the bounds of the instant to the call's TTL after its call and its return. Not after the time at
// which it takes effect here: the database reads its clock before its commit shows, and others may read in between.
func (s *State) expireAfter(c *Call) {
	ttl := c.TTLMs * 1000
	s.Expires, s.At = true, 0
	s.From = c.Invoke + ttl - Slack
	s.To = min(Never, c.end+ttl+Slack)
}

// pin narrows the bounds to the instant that an answer tells; false if that is another one.
func (s *State) pin(c *Call) bool {
	instant := c.Got.ExpiresAt*1000 - c.ClockOffset
	if s.At != 0 && s.At != c.Got.ExpiresAt {
		return false
	}
	s.At = c.Got.ExpiresAt
	s.From = max(s.From, instant-Slack)
	s.To = min(s.To, instant+Slack)
	return s.From <= s.To
}

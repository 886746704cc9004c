// Calls and states in words, for reports and pictures.

package main

import "fmt"

func describeCall(c *Call) string {
	text := c.Op
	if c.Value != "" {
		text += " " + c.Value
	}
	if c.By != 0 {
		text += fmt.Sprintf(" by %d", c.By)
	}
	if c.IfMatch != "" {
		text += " if " + c.IfMatch
	}
	if c.If != "" {
		text += " if " + c.If
	}
	if c.TTLMs > 0 {
		text += fmt.Sprintf(" ttl %d ms", c.TTLMs)
	}
	if c.KeepTTL {
		text += " keeping the ttl"
	}
	switch {
	case c.Outcome != "ok":
		return text + " -> " + c.Outcome
	case c.Got.Refused:
		return text + " -> refused"
	case !c.Held:
		return text + " -> no"
	}
	return text + fmt.Sprintf(" -> %s %s %d", c.Got.Value, c.Got.Etag, c.Got.ExpiresAt)
}

func describeState(s State) string {
	if !s.Present {
		return "absent"
	}
	if !s.Expires {
		return s.Value
	}
	return fmt.Sprintf("%s until %d to %d", s.Value, s.From, s.To)
}

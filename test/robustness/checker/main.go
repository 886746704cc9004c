// Checks a history: `checker --out DIR < history.jsonl` prints its findings as JSON, and writes what it can't explain,
// with a picture of each key's history, into the folder.

package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// Findings are what is said of a whole history.
type Findings struct {
	Keys       int         `json:"keys"`
	Calls      int         `json:"calls"`
	Illegal    []string    `json:"illegal"`  // keys whose history is not linearizable
	TimedOut   []string    `json:"timedOut"` // keys of which that was not found out in time
	Violations []Violation `json:"violations"`
	Files      []string    `json:"files"`
	Seconds    float64     `json:"seconds"`
}

// Pictures are large, and the first few tell enough.
const pictures = 5

func main() {
	out := flag.String("out", ".", "folder for the histories of keys that are not linearizable")
	timeout := flag.Duration("timeout", 10*time.Second, "for each key")
	flag.Parse()
	findings, err := check(*out, *timeout)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(findings)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(out string, timeout time.Duration) (*Findings, error) {
	begun := time.Now()
	byKey, err := ReadCalls(os.Stdin)
	if err != nil {
		return nil, err
	}
	findings := &Findings{Keys: len(byKey), Illegal: []string{}, TimedOut: []string{}, Violations: []Violation{}, Files: []string{}}
	keys := make(chan string)
	var lock sync.Mutex
	var workers sync.WaitGroup
	for i := 0; i < runtime.NumCPU(); i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for key := range keys {
				history := NewHistory(byKey[key])
				violations := history.Direct()
				result := porcupine.CheckOperationsTimeout(history.Model(), history.Operations(), timeout)
				lock.Lock()
				findings.Violations = append(findings.Violations, violations...)
				switch result {
				case porcupine.Illegal:
					findings.Illegal = append(findings.Illegal, key)
				case porcupine.Unknown:
					findings.TimedOut = append(findings.TimedOut, key)
				}
				lock.Unlock()
			}
		}()
	}
	for key, calls := range byKey {
		findings.Calls += len(calls)
		keys <- key
	}
	close(keys)
	workers.Wait()
	sort.Strings(findings.Illegal)
	sort.Strings(findings.TimedOut)
	if err := findings.keep(byKey, out, timeout); err != nil {
		return nil, err
	}
	findings.Seconds = time.Since(begun).Seconds()
	return findings, nil
}

// keep writes the history of each key that something is wrong with, and draws the first few.
func (f *Findings) keep(byKey map[string][]*Call, out string, timeout time.Duration) error {
	wrong := map[string]bool{}
	for _, key := range append(append([]string{}, f.Illegal...), f.TimedOut...) {
		wrong[key] = true
	}
	for _, violation := range f.Violations {
		wrong[violation.Key] = true
	}
	for key := range wrong {
		path := filepath.Join(out, key+".jsonl")
		if err := write(path, byKey[key]); err != nil {
			return err
		}
		f.Files = append(f.Files, path)
	}
	for i, key := range f.Illegal {
		if i == pictures {
			break
		}
		history := NewHistory(byKey[key])
		model := history.Model()
		_, info := porcupine.CheckOperationsVerbose(model, history.Operations(), timeout)
		path := filepath.Join(out, key+".html")
		if err := porcupine.VisualizePath(model, info, path); err != nil {
			return err
		}
		f.Files = append(f.Files, path)
	}
	sort.Strings(f.Files)
	return nil
}

func write(path string, calls []*Call) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	encoder := json.NewEncoder(file)
	for _, call := range calls {
		if err := encoder.Encode(call); err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

type expectation struct {
	Events       *string
	Sequences    []any
	Usage        any
	Accepted     any
	Response     any
	Count        map[string]int
	Status       string
	Reason       *string
	Field        *string
	RetryAfter   *bool `json:"retry_after"`
	Metadata     map[string]string
	Lost         bool
	Cancelled    bool
	IdleWithinMs int `json:"idle_within_ms"`
	Statuses     []string
}

// differences are what is not as expected.
func (o *outcome) differences(expected expectation) []string {
	found := o.failureDifferences(expected)
	if expected.Events != nil {
		came := ""
		for _, event := range o.events {
			came += event + " "
		}
		if !eventsPattern(*expected.Events).MatchString(came) {
			found = append(found, fmt.Sprintf("events %s, not %s", came, *expected.Events))
		}
	}
	for i, sequence := range expected.Sequences {
		came := map[string]any{"text": o.texts[i], "finish": o.finishes[i]}
		found = append(found, missing(fmt.Sprintf("sequences[%d]", i), sequence, came)...)
	}
	for name, value := range map[string]any{
		"usage": expected.Usage, "accepted": expected.Accepted, "response": expected.Response,
	} {
		if value != nil {
			found = append(found, missing(name, value, o.values[name])...)
		}
	}
	for name, n := range expected.Count {
		if came := count(o.values["response"], name); came != n {
			found = append(found, fmt.Sprintf("%d %s, not %d", came, name, n))
		}
	}
	if expected.Statuses != nil && !reflect.DeepEqual(expected.Statuses, o.statuses) {
		found = append(found, fmt.Sprintf("statuses %v, not %v", o.statuses, expected.Statuses))
	}
	if within := time.Duration(expected.IdleWithinMs) * time.Millisecond; o.idleWithin > within {
		found = append(found, fmt.Sprintf("a slot is busy after %v", within))
	}
	return found
}

func (o *outcome) failureDifferences(expected expectation) []string {
	isLost := o.failure != nil && o.failure.Lost
	switch {
	case o.problem != nil:
		return []string{o.problem.Error()}
	case o.cancelled != expected.Cancelled:
		return []string{fmt.Sprintf("cancelled is %v, error %v", o.cancelled, o.failure)}
	case isLost != expected.Lost:
		return []string{fmt.Sprintf("lost is %v, error %v", isLost, o.failure)}
	case isLost || (o.failure == nil && expected.Status == ""):
		return nil
	case o.failure == nil || expected.Status == "":
		return []string{fmt.Sprintf("the error is %v", o.failure)}
	}
	var found []string
	check := func(name string, isSame bool) {
		if !isSame {
			found = append(found, fmt.Sprintf("%s is another one: %+v", name, *o.failure))
		}
	}
	check("status", statusName(o.failure.Code.String()) == expected.Status)
	check("reason", expected.Reason == nil || *expected.Reason == o.failure.Reason)
	check("field", expected.Field == nil || *expected.Field == o.failure.Field())
	check("retry_after", expected.RetryAfter == nil || *expected.RetryAfter == (o.failure.RetryAfter > 0))
	for name, value := range expected.Metadata {
		check("metadata "+name, o.failure.Metadata[name] == value)
	}
	return found
}

// statusName is the name of a status as the protocol writes it: Go says DeadlineExceeded.
func statusName(name string) string {
	return strings.ToUpper(regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(name, "${1}_$2"))
}

func eventsPattern(words string) *regexp.Regexp {
	one := regexp.MustCompile(`(\w+)([+*]?)\s*`)
	return regexp.MustCompile("^" + one.ReplaceAllString(words, "($1 )$2") + "$")
}

func count(response any, name string) int {
	fields, _ := response.(map[string]any)
	switch value := fields[name].(type) {
	case []any:
		return len(value)
	case string:
		return utf8.RuneCountInString(value)
	}
	return 0
}

// missing are the expected values that did not come.
func missing(where string, expected, came any) []string {
	var found []string
	switch expected := expected.(type) {
	case map[string]any:
		fields, _ := came.(map[string]any)
		for key, value := range expected {
			found = append(found, missing(where+"."+key, value, fields[key])...)
		}
		return found
	case []any:
		items, _ := came.([]any)
		if len(items) == len(expected) {
			for i, value := range expected {
				found = append(found, missing(fmt.Sprintf("%s[%d]", where, i), value, items[i])...)
			}
			return found
		}
	}
	if !reflect.DeepEqual(expected, came) {
		wanted, _ := json.Marshal(expected)
		got, _ := json.Marshal(came)
		found = append(found, fmt.Sprintf("%s is %.200s, not %.200s", where, got, wanted))
	}
	return found
}

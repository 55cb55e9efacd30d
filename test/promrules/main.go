// Command promrules checks a Prometheus rule file from standard input as promtool does, with
// Prometheus' own parsers, and lists what its expressions read: a JSON line for each selector.
//
// It is a module of its own, so that Prometheus is no dependency of Sluice.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// selector is what an expression reads, with the labels that it needs.
type selector struct {
	Alert, Metric string
	Labels        []string
}

func main() {
	if err := check(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "promrules:", err)
		os.Exit(1)
	}
}

func check(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	p := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation, p, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if len(errs) > 0 {
		return fmt.Errorf("%v", errs)
	}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			expr, err := p.ParseExpr(r.Expr)
			if err != nil {
				return err
			}
			var failed error
			parser.Inspect(expr, func(n parser.Node, path []parser.Node) error {
				if v, ok := n.(*parser.VectorSelector); ok && failed == nil {
					failed = json.NewEncoder(out).Encode(selectorOf(r.Alert, v, path))
				}
				return nil
			})
			if failed != nil {
				return failed
			}
		}
	}
	return nil
}

// selectorOf lists the labels that a selector matches and those that aggregations around it
// group by; instance is added by Prometheus.
func selectorOf(alert string, v *parser.VectorSelector, path []parser.Node) selector {
	s := selector{Alert: alert, Metric: v.Name, Labels: []string{}}
	for _, m := range v.LabelMatchers {
		if m.Name != labels.MetricName {
			s.Labels = append(s.Labels, m.Name)
		}
	}
	for _, n := range path {
		a, ok := n.(*parser.AggregateExpr)
		if !ok || a.Without {
			continue
		}
		for _, name := range a.Grouping {
			if name != "instance" {
				s.Labels = append(s.Labels, name)
			}
		}
	}
	return s
}

package nginximport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/gateway"
)

// Options of an import.
type Options struct {
	// Tenant that owns everything. Default "imported".
	Tenant string
	// Fleets that mirror the tenant. Empty: none, the Go edge only.
	Fleets []string
	// Overrides writes directives that only nginx knows as Overrides, where nginx text of an
	// override may hold them, with the Policy that allows them.
	Overrides bool
}

// Result is what an import gives.
type Result struct {
	// Objects in the order in which they are applied: Tenant, Upstreams, Pins, Routes.
	Objects []gateway.Object
	Report  Report
}

// importer collects what one import finds.
type importer struct {
	options Options
	top     []*statement // of the main context
	http    []*statement // of all http blocks
	report  Report

	scope     scope                      // of http
	blocks    map[string]*statement      // upstream blocks by name in lower case
	variables map[string]*statement      // map, geo and split_clients blocks by the variable that they set
	upstreams map[string]*drafted        // by name and protocol
	ordered   []*drafted                 // in the order of the files
	hosts     map[string]bool            // of the tenant
	taken     map[gatewayPlace]*draft    // who has a path of a host
	drafts    []*draft                   // in the order of the files
	sent      map[string]sending         // hosts whose clients are sent to https
	sentOrder []string                   // in the order of the files
	listening map[string]bool            // addresses whose first server was seen
	certs     map[string]bool            // files of certificates that were reported
	overrides map[string][]string        // by route: nginx text
	allowed   map[string]bool            // directives that a Policy has to list
	names     map[gateway.Kind]nameTable // that are taken
}

// gatewayPlace is a path of a host.
type gatewayPlace struct {
	host string
	path gateway.PathMatch
}

// Import reads what nginx loads and returns it as objects. An error says that nothing could be
// read: a file that is missing or no configuration, includes without end, or too much of it.
func Import(files Files, options Options) (*Result, error) {
	if options.Tenant == "" {
		options.Tenant = "imported"
	}
	l := &loader{files: files}
	top, err := l.load(files.Main, 0)
	if err != nil {
		return nil, fmt.Errorf("import %s: %w", files.Main, err)
	}
	m := &importer{options: options, top: top, blocks: map[string]*statement{}, variables: map[string]*statement{}, upstreams: map[string]*drafted{},
		hosts: map[string]bool{}, taken: map[gatewayPlace]*draft{}, sent: map[string]sending{}, listening: map[string]bool{}, certs: map[string]bool{}, overrides: map[string][]string{}, allowed: map[string]bool{},
		names: map[gateway.Kind]nameTable{}}
	if l.skipped > 0 {
		m.report.Notes = append(m.report.Notes, Note{Kind: Differs, File: files.Main, Text: "include " + files.Skip + "/...", Why: "Sluice's own tree is left aside: it is made of objects already"})
	}
	m.find()
	m.ownDirectives()
	for _, s := range named(m.http, "server") {
		if s.Block != nil {
			m.server(s)
		}
	}
	for _, s := range named(m.http, "upstream") {
		m.unused(s)
	}
	m.leftovers()
	objects := m.objects()
	m.check(objects)
	m.report.tidy()
	return &Result{Objects: objects, Report: m.report}, nil
}

// find collects what stands in http: a file from conf.d has its servers at the top.
func (m *importer) find() {
	for _, s := range m.top {
		if s.Name() == "http" && s.Block != nil {
			say(s)
			m.http = append(m.http, s.kids...)
		}
	}
	if m.http == nil {
		m.http = m.top
	}
	m.scope = scope{}.in(m.http)
	for _, s := range named(m.http, "map", "split_clients") {
		m.variables[s.Name()+" "+s.arg(1)] = s
	}
	for _, s := range named(m.http, "geo") {
		m.variables["geo "+s.arg(0)] = s
	}
	for _, s := range named(m.http, "upstream") {
		m.blocks[strings.ToLower(s.arg(0))] = s
	}
}

// note adds a note about a directive.
func (m *importer) note(kind Kind, s *statement, why, do string) {
	m.report.Notes = append(m.report.Notes, Note{Kind: kind, File: s.file, Line: s.Line(), Text: s.text(), Why: why, Do: do})
}

// differs is a note about a directive that has got into the objects.
func (m *importer) differs(s *statement, why, do string) {
	say(s)
	m.note(Differs, s, why, do)
}

// refuse is a note about a directive that has not.
func (m *importer) refuse(s *statement, why, do string) {
	m.note(NotTranslated, s, why, do)
	walk([]*statement{s}, func(s *statement) {
		if !s.said && !s.own {
			m.report.Untranslated++
			s.said = true
		}
	})
}

// imported are the directives of http that belong to what is imported; all others hold for rendered servers, too, as long as they stay in nginx.conf.
var imported = []string{"server", "upstream", "map", "geo", "split_clients", "limit_req", "limit_conn", "auth_basic", "auth_request", "root", "allow", "deny", "satisfy", "ssl_certificate", "ssl_certificate_key", "sluice_hidden_secret"}

// ownDirectives marks what stays in nginx.conf.
func (m *importer) ownDirectives() {
	keep := func(list []*statement) {
		walk(list, func(s *statement) { s.own = true })
	}
	for _, s := range m.top {
		switch s.Name() {
		case "http", "server", "upstream", "stream", "mail", "include":
		default:
			if !slices.Contains(imported, s.Name()) {
				keep([]*statement{s})
			}
		}
	}
	for _, s := range m.http {
		if !slices.Contains(imported, s.Name()) && s.Name() != "include" {
			keep([]*statement{s})
		}
	}
	for _, s := range named(m.http, "map", "geo", "split_clients") {
		// Their variables are looked up where they are used, and do no harm where they are.
		keep([]*statement{s})
	}
}

// leftovers reports what nobody has asked for, and counts.
func (m *importer) leftovers() {
	var visit func(list []*statement, where place)
	visit = func(list []*statement, where place) {
		for _, s := range list {
			if !s.said && !s.own {
				why, do := reason(s, where)
				m.refuse(s, why, do)
				continue
			}
			visit(s.kids, placeIn(s, where))
		}
	}
	visit(m.top, inMain)
	walk(m.top, func(s *statement) {
		m.report.Directives++
		if s.own && !s.said {
			m.report.Kept++
		}
	})
}

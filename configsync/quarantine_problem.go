package configsync

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
	"github.com/sluice-gateway/sluice/gateway"
)

// quarantineProblem puts what nginx says about a file on the object whose text is on the line
// that it names.
func quarantineProblem(fleet, source string, tree *nginxconf.Tree, path string, f form, c *nginxconf.Complaint) gateway.Problem {
	file := tree.File(path)
	p := gateway.Problem{Object: file.Owner(), Code: "nginx_refused", Source: source}
	place, quoted := path, ""
	if c.File == path && c.Line > 0 {
		if owner, ok := tree.Owner(path, c.Line); ok {
			p.Object = owner
		}
		place = fmt.Sprintf("line %d of %s", c.Line, path)
		quoted = fmt.Sprintf(", which reads %q", shortened(file.Line(c.Line)))
	}
	if p.Object.Kind == gateway.KindOverride {
		p.Field = "spec.nginx"
	}
	p.Message = fmt.Sprintf("nginx refuses %s for fleet %s%s: %s. %s", place, fleet, quoted, strings.TrimSuffix(shortened(c.Message), "."), remedy(path, f, p.Object))
	return p
}

// remedy says what happens meanwhile and what to do.
func remedy(path string, f form, object gateway.Ref) string {
	meanwhile := "Meanwhile the file's last good version stays in use"
	if f == neutral {
		meanwhile = "Meanwhile the file is left out"
		if strings.HasPrefix(path, "servers/") {
			meanwhile = "Meanwhile the hosts of the file answer 503"
		}
	}
	what := "correct what nginx names"
	if object.Kind == gateway.KindOverride {
		what = "correct or delete the override's nginx text"
	}
	return meanwhile + ", and everything else goes out; " + what
}

// fleetProblem is a refusal that is nobody's in particular.
func fleetProblem(fleet string, c *nginxconf.Complaint, shipped bool) gateway.Problem {
	meanwhile := "The nodes keep the configuration that they have; look at the fleet's own settings and at what its nodes report of themselves, such as their addresses to listen on"
	if shipped {
		meanwhile = "There is no earlier configuration to keep, so the nodes decide"
	}
	return gateway.Problem{Object: gateway.Ref{Kind: gateway.KindFleet, Name: fleet}, Code: "nginx_refused", Source: "fleet " + fleet,
		Message: fmt.Sprintf("nginx refuses the configuration of fleet %s, and would without any tenant's part in it: %s. %s", fleet, shortened(c.String()), meanwhile)}
}

// shortened keeps a message readable.
func shortened(s string) string {
	if len(s) > 400 {
		return strings.ToValidUTF8(s[:400], "") + "..."
	}
	return s
}

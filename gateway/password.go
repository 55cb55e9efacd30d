package gateway

import "fmt"

// password of the upstream's probes, or nothing.
func (u *Upstream) password() Secret {
	if u == nil || u.Spec.Health.Active == nil {
		return ""
	}
	return u.Spec.Health.Active.Password
}

// clearUpstream is an upstream with the password of its probes in clear. Of two fields of one
// name JSON takes the outer one.
func clearUpstream(u *Upstream) any {
	if u.password() == "" {
		return u
	}
	type clearActive struct {
		ActiveCheck
		Password string `json:"password"`
	}
	type clearHealth struct {
		Health
		Active clearActive `json:"active"`
	}
	type clearSpec struct {
		UpstreamSpec
		Health clearHealth `json:"health"`
	}
	health := clearHealth{u.Spec.Health, clearActive{*u.Spec.Health.Active, string(u.password())}}
	return struct {
		Meta
		Spec clearSpec `json:"spec"`
	}{u.Meta, clearSpec{u.Spec, health}}
}

// keepPassword puts the password that is stored where now has the placeholder for it.
func keepPassword(now, before *Upstream) error {
	if now.password() != SecretPlaceholder {
		return nil
	}
	old := before.password()
	if old == "" || old == SecretPlaceholder {
		return fmt.Errorf("%w: %s: spec.health.active.password is %q, which stands for a password that is stored already, and none is: write the password",
			ErrInvalid, now.Ref(), SecretPlaceholder)
	}
	check := *now.Spec.Health.Active // it may be shared
	check.Password = old
	now.Spec.Health.Active = &check
	return nil
}

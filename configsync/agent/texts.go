package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/configsync/nginxconf"
)

// texts are the certificates of the current tree and their keys: nginx -T shows neither, and
// nodes that differ in them do differ.
func (d disk) texts() []loadedFile {
	var list []loadedFile
	for _, pattern := range nginxconf.Texts {
		for _, path := range d.read.glob(filepath.Join(d.link(), pattern)) {
			if is, err := d.read.read(path); err == nil { // what is not there is seen as removed
				list = append(list, loadedFile{path: path, data: is.data, private: filepath.Ext(path) == ".key", changed: is.changed})
			}
		}
	}
	return list
}

// trustedCAs are where systems keep the authorities that they trust: Debian, RHEL, SUSE, Alpine.
var trustedCAs = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}

func trustedCA() string {
	i := slices.IndexFunc(trustedCAs, func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular() && info.Size() > 0
	})
	if i < 0 {
		return ""
	}
	return trustedCAs[i]
}

// shadow is the staged tree for a check. Directives name certificates below the link, which
// still leads to the old tree, so the files with such directives are copied with paths into
// the staged one; links stand for all others. A tree without them is its own shadow.
func shadow(scratch, link, staged string) (string, error) {
	if matches := glob(filepath.Join(staged, nginxconf.Texts[0])); len(matches) == 0 {
		return staged, nil
	}
	dir := filepath.Join(scratch, "tree")
	for _, path := range glob(filepath.Join(staged, nginxconf.Include)) {
		b, err := os.ReadFile(path)
		if err != nil {
			return "", fmt.Errorf("prepare the check: %w", err)
		}
		target := filepath.Join(dir, strings.TrimPrefix(path, staged+"/"))
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return "", fmt.Errorf("prepare the check: %w", err)
		}
		if text := strings.ReplaceAll(string(b), " "+link+"/", " "+staged+"/"); text != string(b) {
			err = os.WriteFile(target, []byte(text), 0o644)
		} else {
			err = os.Symlink(path, target)
		}
		if err != nil {
			return "", fmt.Errorf("prepare the check: %w", err)
		}
	}
	return dir, nil
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/sluice-gateway/sluice/gateway"
)

// selfSignedLife is short of the 398 days that some clients take at most.
const selfSignedLife = 397 * 24 * time.Hour

func certCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "cert", Short: "Make certificates"}
	cmd.AddCommand(selfSignedCommand())
	return cmd
}

func selfSignedCommand() *cobra.Command {
	var certFile, keyFile string
	var keep bool
	cmd := &cobra.Command{
		Use:   "self-signed HOST...",
		Short: "Make a self-signed certificate for trying things out",
		Long: "Make a self-signed certificate for host names, wildcards such as *.example.com and IP\n" +
			"addresses. Clients trust it only when they are told to, so it is for trying things out.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, hosts []string) error {
			if keep && exists(certFile) && exists(keyFile) {
				return nil
			}
			chain, key, err := selfSigned(hosts, time.Now())
			if err != nil {
				return err
			}
			// The key first: a certificate that is there has a key that is there.
			if err := errors.Join(writeWhole(keyFile, key), writeWhole(certFile, chain)); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s and %s, good until %s\n", certFile, keyFile, time.Now().Add(selfSignedLife).Format(time.DateOnly))
			return err
		},
	}
	cmd.Flags().StringVar(&certFile, "cert-file", "cert.pem", "where the certificate goes")
	cmd.Flags().StringVar(&keyFile, "key-file", "key.pem", "where the private key goes")
	cmd.Flags().BoolVar(&keep, "keep", false, "leave both files alone when they are there")
	return cmd
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// selfSigned makes a certificate and its key in PEM.
func selfSigned(hosts []string, now time.Time) (chain, key []byte, err error) {
	tmpl := &x509.Certificate{Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
			continue
		}
		name, err := gateway.NormalHost(h)
		if err != nil || name == "*" {
			return nil, nil, fmt.Errorf("%q is no name for a certificate: write shop.example.com, *.example.com or an IP address", h)
		}
		tmpl.DNSNames = append(tmpl.DNSNames, name)
	}
	if tmpl.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, err
	}
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, secret.Public(), secret)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(secret)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}

// writeWhole writes a file that only its owner reads: whole, or not at all, whatever ends
// the process meanwhile.
func writeWhole(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

package slotline

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSFiles are files in PEM.
type TLSFiles struct {
	// CA holds the authorities that sign servers' certificates; "" for those of the system.
	CA string
	// Cert holds the client's own certificate, for servers that want one; Key its key.
	Cert, Key string
	// ServerName is the name in the server's certificate, if it is not that of the target.
	ServerName string
}

// LoadTLS reads files for WithTLS.
func LoadTLS(files TLSFiles) (*tls.Config, error) {
	made := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: files.ServerName}
	if files.CA != "" {
		pem, err := os.ReadFile(files.CA)
		if err != nil {
			return nil, fmt.Errorf("slotline: CA: %w", err)
		}
		made.RootCAs = x509.NewCertPool()
		if !made.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("slotline: CA: %s holds no certificates in PEM", files.CA)
		}
	}
	if files.Cert == "" && files.Key == "" {
		return made, nil
	}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("slotline: Cert %q and Key %q: %w", files.Cert, files.Key, err)
	}
	made.Certificates = []tls.Certificate{pair}
	return made, nil
}

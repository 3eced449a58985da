package ippclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"

	"kustom.co/ipp/ippv1"
)

// Options of New. Without TLS settings the connection is plaintext.
type Options struct {
	TLS  bool   // with the system's authorities
	CA   []byte // PEM; implies TLS
	Cert []byte // PEM, with Key; imply TLS
	Key  []byte

	// A token goes over plaintext to this machine only, unless PlaintextToken says that something else encrypts.
	Token          string
	PlaintextToken bool
	MerchantID     string

	Timing Timing
	Dial   []grpc.DialOption // more of gRPC's own
}

// Client is a connection to the gateway. It connects at the first call. Safe for concurrent use. The stubs are for the
// calls that need no rules.
type Client struct {
	Sessions      ippv1.SessionServiceClient
	Events        ippv1.SessionEventServiceClient
	Subscriptions ippv1.SharedSubscriptionServiceClient
	Outcomes      ippv1.OutcomeServiceClient
	Devices       ippv1.DeviceServiceClient
	Enrollments   ippv1.EnrollmentServiceClient
	Locations     ippv1.LocationServiceClient
	History       ippv1.SessionHistoryServiceClient
	Reports       ippv1.ReportServiceClient
	Simulation    ippv1.SimulationServiceClient

	connection *grpc.ClientConn
	timing     Timing
}

// New makes a client for host:port, or any name that gRPC resolves.
func New(address string, options Options) (*Client, error) {
	timing := options.Timing.withDefaults()
	encrypted := options.TLS || options.CA != nil || options.Cert != nil
	if options.Token != "" && !encrypted && !options.PlaintextToken && !isThisMachine(address) {
		return nil, errors.New("a token over plaintext is sent to this machine only: set TLS, or PlaintextToken")
	}
	transport := insecure.NewCredentials()
	if encrypted {
		var err error
		if transport, err = tlsOf(options); err != nil {
			return nil, err
		}
	}
	slowest := backoff.DefaultConfig
	slowest.MaxDelay = 10 * time.Second
	slowest.BaseDelay = timing.FirstStreamPause
	dial := append([]grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: timing.Keepalive, Timeout: timing.KeepaliveAnswer}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: slowest, MinConnectTimeout: timing.Call}),
		grpc.WithPerRPCCredentials(pairs{token: options.Token, merchant: options.MerchantID}),
	}, options.Dial...)
	connection, err := grpc.NewClient(address, dial...)
	if err != nil {
		return nil, err
	}
	return &Client{
		Sessions: ippv1.NewSessionServiceClient(connection), Events: ippv1.NewSessionEventServiceClient(connection),
		Subscriptions: ippv1.NewSharedSubscriptionServiceClient(connection),
		Outcomes:      ippv1.NewOutcomeServiceClient(connection), Devices: ippv1.NewDeviceServiceClient(connection),
		Enrollments: ippv1.NewEnrollmentServiceClient(connection),
		Locations:   ippv1.NewLocationServiceClient(connection),
		History:     ippv1.NewSessionHistoryServiceClient(connection),
		Reports:     ippv1.NewReportServiceClient(connection),
		Simulation:  ippv1.NewSimulationServiceClient(connection),
		connection:  connection, timing: timing,
	}, nil
}

// Close ends the connection and every call on it.
func (c *Client) Close() error { return c.connection.Close() }

func tlsOf(options Options) (credentials.TransportCredentials, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if options.CA != nil {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(options.CA) {
			return nil, errors.New("CA holds no certificate")
		}
	}
	if options.Cert != nil {
		certificate, err := tls.X509KeyPair(options.Cert, options.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{certificate}
	}
	return credentials.NewTLS(config), nil
}

func isThisMachine(address string) bool {
	host := strings.TrimPrefix(address, "dns:///")
	if colon := strings.LastIndex(host, ":"); colon >= 0 {
		host = host[:colon]
	}
	return strings.HasPrefix(address, "unix:") || host == "localhost" || host == "[::1]" ||
		strings.HasPrefix(host, "127.")
}

// pairs are metadata that every call carries.
type pairs struct{ token, merchant string }

func (p pairs) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	metadata := map[string]string{}
	if p.token != "" {
		metadata["authorization"] = "Bearer " + p.token
	}
	if p.merchant != "" {
		metadata["x-merchant-id"] = p.merchant
	}
	return metadata, nil
}

// New has made sure of it.
func (pairs) RequireTransportSecurity() bool { return false }

// A gateway as an experienced Go programmer writes it in an afternoon, over grpc-go and net/http: the peer of the
// unary benchmark. It reads a session and a location and maps the errors. It has no callers, no metrics, no retries
// and no checks of what it is asked, so it does less than the gateway that it is compared with.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"bench/stubs/kustom/ipp/v1"
)

const limit = 4 << 20 // bytes of an answer

type orderItem struct {
	Type                string `json:"type"`
	Reference           string `json:"reference"`
	Name                string `json:"name"`
	Quantity            int64  `json:"quantity"`
	UnitPrice           int64  `json:"unit_price"`
	TotalAmount         int64  `json:"total_amount"`
	TaxRate             int64  `json:"tax_rate"`
	TotalTaxAmount      int64  `json:"total_tax_amount"`
	TotalDiscountAmount int64  `json:"total_discount_amount"`
}

type session struct {
	SessionID           string      `json:"session_id"`
	Status              string      `json:"status"`
	DeviceID            string      `json:"device_id"`
	OrderID             string      `json:"order_id"`
	OrderAmount         int64       `json:"order_amount"`
	OrderTaxAmount      int64       `json:"order_tax_amount"`
	PurchaseCurrency    string      `json:"purchase_currency"`
	PurchaseStartedAt   *time.Time  `json:"purchase_started_at"`
	PurchaseCompletedAt *time.Time  `json:"purchase_completed_at"`
	OrderItems          []orderItem `json:"order_items"`
	MerchantReference1  string      `json:"merchant_reference1"`
	MerchantReference2  string      `json:"merchant_reference2"`
	MerchantData        string      `json:"merchant_data"`
}

type location struct {
	ID             string     `json:"id"`
	MerchantID     string     `json:"merchant_id"`
	Name           string     `json:"name"`
	StreetAddress  string     `json:"street_address"`
	StreetAddress2 string     `json:"street_address2"`
	PostalCode     string     `json:"postal_code"`
	City           string     `json:"city"`
	Country        string     `json:"country"`
	CreatedAt      *time.Time `json:"created_at"`
	UpdatedAt      *time.Time `json:"updated_at"`
}

type gateway struct {
	ippv1.UnimplementedSessionServiceServer
	ippv1.UnimplementedLocationServiceServer
	base          string
	authorization string
	merchant      string
	client        *http.Client
}

var codeOf = map[int]codes.Code{400: codes.InvalidArgument, 401: codes.Internal, 403: codes.PermissionDenied,
	404: codes.NotFound, 409: codes.FailedPrecondition, 429: codes.ResourceExhausted, 503: codes.Unavailable}

func (g *gateway) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.base+path, nil)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", g.authorization)
	request.Header.Set("X-Merchant-Id", g.merchant)
	answer, err := g.client.Do(request)
	if err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(io.LimitReader(answer.Body, limit)); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	if answer.StatusCode != http.StatusOK {
		code, known := codeOf[answer.StatusCode]
		if !known {
			code = codes.Unknown
		}
		return status.Error(code, answer.Status)
	}
	if err := json.Unmarshal(body.Bytes(), into); err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return nil
}

func timestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func (g *gateway) GetSession(ctx context.Context, r *ippv1.GetSessionRequest) (*ippv1.GetSessionResponse, error) {
	var s session
	if err := g.get(ctx, "/ipp/v1/sessions/"+r.SessionId, &s); err != nil {
		return nil, err
	}
	items := make([]*ippv1.OrderItem, len(s.OrderItems))
	for i, item := range s.OrderItems {
		kind := ippv1.OrderItemType_value["ORDER_ITEM_TYPE_"+strings.ToUpper(item.Type)]
		items[i] = &ippv1.OrderItem{Type: ippv1.OrderItemType(kind), TypeRaw: item.Type, Reference: item.Reference,
			Name: item.Name, Quantity: item.Quantity, UnitPrice: item.UnitPrice, TotalAmount: item.TotalAmount,
			TaxRate: item.TaxRate, TotalDiscountAmount: item.TotalDiscountAmount, TotalTaxAmount: item.TotalTaxAmount}
	}
	return &ippv1.GetSessionResponse{Session: &ippv1.Session{
		SessionId: s.SessionID, Status: ippv1.SessionStatus(ippv1.SessionStatus_value["SESSION_STATUS_"+s.Status]),
		StatusRaw: s.Status, DeviceId: s.DeviceID, OrderId: s.OrderID, OrderAmount: s.OrderAmount,
		OrderTaxAmount: s.OrderTaxAmount, PurchaseCurrency: s.PurchaseCurrency,
		PurchaseStartedAt: timestamp(s.PurchaseStartedAt), PurchaseCompletedAt: timestamp(s.PurchaseCompletedAt),
		OrderItems: items, MerchantReference1: s.MerchantReference1, MerchantReference2: s.MerchantReference2,
		MerchantData: s.MerchantData}}, nil
}

func (g *gateway) GetLocation(ctx context.Context, r *ippv1.GetLocationRequest) (*ippv1.GetLocationResponse, error) {
	var l location
	if err := g.get(ctx, "/ipp/v1/locations/"+r.LocationId, &l); err != nil {
		return nil, err
	}
	return &ippv1.GetLocationResponse{Location: &ippv1.Location{
		Id: l.ID, MerchantId: l.MerchantID, Name: l.Name, StreetAddress: l.StreetAddress,
		StreetAddress2: l.StreetAddress2, PostalCode: l.PostalCode, City: l.City, Country: l.Country,
		CreatedAt: timestamp(l.CreatedAt), UpdatedAt: timestamp(l.UpdatedAt)}}, nil
}

// Ends with its stdin, so that it does not outlive the script.
func endWithStdin() {
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

func main() {
	base := flag.String("url", "", "the upstream, https://HOST:PORT")
	ca := flag.String("ca", "", "the file of the certificates to trust")
	key := flag.String("key", "", "the API key")
	merchant := flag.String("merchant", "", "the merchant's id")
	flag.Parse()
	pem, err := os.ReadFile(*ca)
	if err != nil {
		log.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		log.Fatalf("no certificate in %s", *ca)
	}
	g := &gateway{base: strings.TrimSuffix(*base, "/"), authorization: "Basic " + *key, merchant: *merchant,
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2}, Timeout: 10 * time.Second}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	ippv1.RegisterSessionServiceServer(server, g)
	ippv1.RegisterLocationServiceServer(server, g)
	fmt.Printf("listening %s\n", listener.Addr())
	go endWithStdin()
	log.Fatal(server.Serve(listener))
}

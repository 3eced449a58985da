// A Go client of the gateway under the conformance kit (../README.md): does the orders on stdin, answers on stdout.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"reflect"
	"strings"
	"time"

	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // so that details can be decoded
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"kit/stubs/kustom/ipp/v1"
)

// One line of the kit's.
type order struct {
	Do            string            `json:"do"`
	Channel       string            `json:"channel"`
	Address       string            `json:"address"`
	CaFile        string            `json:"ca_file"`
	CertFile      string            `json:"cert_file"`
	KeyFile       string            `json:"key_file"`
	Rpc           string            `json:"rpc"`
	Request       json.RawMessage   `json:"request"`
	Metadata      map[string]string `json:"metadata"`
	DeadlineMs    int               `json:"deadline_ms"`
	CancelAfterMs int               `json:"cancel_after_ms"`
	Stream        string            `json:"stream"`
}

type answer map[string]any

// A stub's constructor takes a connection and gives an interface with a method an RPC.
var stubs = map[string]any{
	"DeviceService":             ippv1.NewDeviceServiceClient,
	"EnrollmentService":         ippv1.NewEnrollmentServiceClient,
	"LocationService":           ippv1.NewLocationServiceClient,
	"OutcomeService":            ippv1.NewOutcomeServiceClient,
	"SessionService":            ippv1.NewSessionServiceClient,
	"SessionEventService":       ippv1.NewSessionEventServiceClient,
	"ReportService": ippv1.NewReportServiceClient,
	"SessionHistoryService": ippv1.NewSessionHistoryServiceClient,
	"SharedSubscriptionService": ippv1.NewSharedSubscriptionServiceClient,
	"SimulationService":         ippv1.NewSimulationServiceClient,
}

var (
	channels = map[string]*grpc.ClientConn{}
	streams  = map[string]*stream{}
)

// A stream that the kit reads a message at a time; followed ones go on after a break.
type stream struct {
	receive func() (proto.Message, error)
	cancel  context.CancelFunc
	follows bool
}

func connect(o order) answer {
	way := insecure.NewCredentials()
	if o.CaFile != "" {
		pem, err := os.ReadFile(o.CaFile)
		must(err)
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		config := &tls.Config{RootCAs: roots}
		if o.CertFile != "" {
			shown, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
			must(err)
			config.Certificates = []tls.Certificate{shown}
		}
		way = credentials.NewTLS(config)
	}
	channel, err := grpc.NewClient(o.Address, grpc.WithTransportCredentials(way))
	must(err)
	channels[o.Channel] = channel
	return answer{}
}

// The stub's method of an RPC, and its request.
func prepare(o order) (reflect.Value, reflect.Value) {
	service, name, _ := strings.Cut(o.Rpc[strings.LastIndex(o.Rpc, ".")+1:], "/")
	channel := reflect.ValueOf(channels[o.Channel])
	method := reflect.ValueOf(stubs[service]).Call([]reflect.Value{channel})[0].MethodByName(name)
	request := reflect.New(method.Type().In(1).Elem())
	must(protojson.Unmarshal(o.Request, request.Interface().(proto.Message)))
	return method, request
}

// The context of a call: its deadline, if any, and its metadata.
func contextOf(o order) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if o.DeadlineMs != 0 {
		ctx, cancel = context.WithTimeout(context.Background(), time.Duration(o.DeadlineMs)*time.Millisecond)
	}
	for key, value := range o.Metadata {
		ctx = metadata.AppendToOutgoingContext(ctx, key, value)
	}
	return ctx, cancel
}

func call(o order) answer {
	method, request := prepare(o)
	ctx, cancel := contextOf(o)
	defer cancel()
	if o.CancelAfterMs != 0 {
		time.AfterFunc(time.Duration(o.CancelAfterMs)*time.Millisecond, cancel)
	}
	var trailers metadata.MD
	results := method.Call([]reflect.Value{
		reflect.ValueOf(ctx), request, reflect.ValueOf(grpc.Trailer(&trailers))})
	said := answer{"trailers": textsOf(trailers)}
	if err, failed := results[1].Interface().(error); failed {
		said["error"] = errorOf(err)
	} else {
		said["response"] = jsonOf(results[0].Interface().(proto.Message))
	}
	return said
}

func openStream(o order) answer {
	method, request := prepare(o)
	ctx, cancel := contextOf(o)
	results := method.Call([]reflect.Value{reflect.ValueOf(ctx), request})
	if err, failed := results[1].Interface().(error); failed {
		streams[o.Stream] = &stream{cancel: cancel, receive: func() (proto.Message, error) { return nil, err }}
		return answer{}
	}
	receive := results[0].MethodByName("Recv")
	streams[o.Stream] = &stream{cancel: cancel, receive: func() (proto.Message, error) {
		results := receive.Call(nil)
		if err, failed := results[1].Interface().(error); failed {
			return nil, err
		}
		return results[0].Interface().(proto.Message), nil
	}}
	return answer{}
}

func follow(o order) answer {
	ctx, cancel := context.WithCancel(context.Background())
	f := follower{
		ctx:     ctx,
		events:  ippv1.NewSessionEventServiceClient(channels[o.Channel]),
		request: &ippv1.SubscribeSessionEventsRequest{},
	}
	must(protojson.Unmarshal(o.Request, f.request))
	_, err := f.receive() // `started`: nothing from here on is missed
	must(err)
	streams[o.Stream] = &stream{cancel: cancel, follows: true, receive: func() (proto.Message, error) { return f.next() }}
	return answer{}
}

// Every event after a place in the log, once, however often the way to the gateway breaks.
type follower struct {
	ctx     context.Context
	events  ippv1.SessionEventServiceClient
	request *ippv1.SubscribeSessionEventsRequest
	stream  ippv1.SessionEventService_SubscribeSessionEventsClient
}

// The next event; breaks are waited out.
func (f *follower) next() (*ippv1.SessionEvent, error) {
	pause := 50 * time.Millisecond
	for {
		message, err := f.receive()
		switch {
		case err == nil && message.GetEvent() != nil:
			return message.GetEvent(), nil
		case err == nil:
			continue
		case status.Code(err) != codes.Unavailable && !errors.Is(err, io.EOF):
			return nil, err
		}
		f.stream = nil
		time.Sleep(pause)
		if pause *= 2; pause > time.Second {
			pause = time.Second
		}
	}
}

// The next message, of a new stream if need be; keeps the cursor that every message carries.
func (f *follower) receive() (*ippv1.SubscribeSessionEventsResponse, error) {
	var err error
	if f.stream == nil {
		if f.stream, err = f.events.SubscribeSessionEvents(f.ctx, f.request); err != nil {
			return nil, err
		}
	}
	message, err := f.stream.Recv()
	if err != nil {
		return nil, err
	}
	cursor := message.GetEvent().GetCursor()
	for _, other := range []string{message.GetStarted().GetCursor(), message.GetHeartbeat().GetCursor(),
		message.GetGoodbye().GetCursor()} {
		cursor += other // a message is one of the four
	}
	f.request.Start = &ippv1.SubscribeSessionEventsRequest_AfterCursor{AfterCursor: cursor}
	return message, nil
}

func next(o order) answer {
	s := streams[o.Stream]
	message, err := s.receive()
	switch {
	case errors.Is(err, io.EOF):
		return answer{"end": true}
	case err != nil:
		return answer{"error": errorOf(err)}
	case s.follows:
		return answer{"event": jsonOf(message)}
	}
	return answer{"message": jsonOf(message)}
}

func cancel(o order) answer {
	s := streams[o.Stream]
	delete(streams, o.Stream)
	s.cancel()
	for {
		if _, err := s.receive(); errors.Is(err, io.EOF) {
			return answer{"end": true}
		} else if err != nil {
			return answer{"error": errorOf(err)}
		}
	}
}

func textsOf(trailers metadata.MD) map[string]string {
	texts := map[string]string{}
	for key, values := range trailers {
		if !strings.HasSuffix(key, "-bin") {
			texts[key] = values[0]
		}
	}
	return texts
}

// The code by its usual name: NOT_FOUND for codes.NotFound.
func nameOf(code codes.Code) string {
	var name strings.Builder
	if code == codes.Canceled {
		return "CANCELLED"
	}
	for index, letter := range code.String() {
		if index > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}

func errorOf(err error) answer {
	said := status.Convert(err)
	details := map[string]json.RawMessage{}
	for _, detail := range said.Details() {
		if message, known := detail.(proto.Message); known {
			details[string(message.ProtoReflect().Descriptor().FullName())] = jsonOf(message)
		}
	}
	return answer{"code": nameOf(said.Code()), "message": said.Message(), "details": details}
}

func jsonOf(message proto.Message) json.RawMessage {
	text, err := protojson.Marshal(message)
	must(err)
	return text
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	orders := map[string]func(order) answer{
		"connect": connect, "call": call, "open": openStream, "follow": follow, "next": next, "cancel": cancel}
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		must(json.Unmarshal(lines.Bytes(), &o))
		text, err := json.Marshal(orders[o.Do](o))
		must(err)
		fmt.Println(string(text))
	}
	must(lines.Err())
}

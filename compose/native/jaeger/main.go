// Jaeger's own OTLP receiver, memory storage and query API in one process.
//
// Its all-in-one program holds every storage that Jaeger knows besides, which are two thirds of
// what it is compiled from; what is here behaves as it does, without its UI.
package main

import (
	"context"
	"flag"
	"os/signal"
	"syscall"

	"github.com/jaegertracing/jaeger/cmd/collector/app"
	"github.com/jaegertracing/jaeger/cmd/collector/app/flags"
	"github.com/jaegertracing/jaeger/cmd/collector/app/handler"
	query "github.com/jaegertracing/jaeger/cmd/query/app"
	"github.com/jaegertracing/jaeger/cmd/query/app/querysvc"
	"github.com/jaegertracing/jaeger/model/adjuster"
	"github.com/jaegertracing/jaeger/pkg/jtracer"
	"github.com/jaegertracing/jaeger/pkg/metrics"
	"github.com/jaegertracing/jaeger/pkg/telemetery"
	"github.com/jaegertracing/jaeger/pkg/tenancy"
	"github.com/jaegertracing/jaeger/plugin/metrics/disabled"
	"github.com/jaegertracing/jaeger/plugin/storage/memory"
	"go.opentelemetry.io/collector/component/componentstatus"
	"go.uber.org/zap"
)

var (
	_         = flag.String("home", "", "whose it is: for those who look at a list of processes")
	otlpGRPC  = flag.String("otlp-grpc", "127.0.0.1:4317", "where OTLP is taken over gRPC")
	otlpHTTP  = flag.String("otlp-http", "127.0.0.1:4318", "where OTLP is taken over HTTP")
	queryHTTP = flag.String("query-http", "127.0.0.1:16686", "where traces are asked for")
	queryGRPC = flag.String("query-grpc", "127.0.0.1:16685", "where traces are asked for over gRPC")
	maxTraces = flag.Int("max-traces", 20000, "how many traces are kept, the newest")
)

func main() {
	flag.Parse()
	logger := zap.Must(zap.NewProduction())
	if err := run(logger); err != nil {
		logger.Fatal("jaeger cannot run", zap.Error(err))
	}
}

func run(logger *zap.Logger) error {
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	kept := memory.Configuration{MaxTraces: *maxTraces}
	storage := memory.NewFactoryWithConfig(kept, metrics.NullFactory, logger)
	tenants := tenancy.NewManager(&tenancy.Options{})
	closeReceiver, err := receive(logger, storage, tenants)
	if err != nil {
		return err
	}
	server, err := answer(logger, storage, tenants)
	if err != nil {
		return err
	}
	<-stopped.Done()
	logger.Info("stopping")
	closeReceiver()
	return server.Close()
}

// receive takes spans over OTLP and keeps them.
func receive(logger *zap.Logger, storage *memory.Factory, tenants *tenancy.Manager) (func(), error) {
	writer, err := storage.CreateSpanWriter()
	if err != nil {
		return nil, err
	}
	options := &flags.CollectorOptions{
		QueueSize:  flags.DefaultQueueSize,
		NumWorkers: flags.DefaultNumWorkers,
	}
	options.OTLP.GRPC.HostPort = *otlpGRPC
	options.OTLP.HTTP.HostPort = *otlpHTTP
	builder := &app.SpanHandlerBuilder{SpanWriter: writer, CollectorOpts: options, Logger: logger}
	processor := builder.BuildSpanProcessor()
	receiver, err := handler.StartOTLPReceiver(options, logger, processor, tenants)
	if err != nil {
		return nil, err
	}
	return func() {
		_ = receiver.Shutdown(context.Background())
		_ = processor.Close()
	}, nil
}

// answer serves Jaeger's query API: /api/services, /api/traces, /api/traces/{id}.
func answer(logger *zap.Logger, storage *memory.Factory, tenants *tenancy.Manager) (*query.Server, error) {
	reader, err := storage.CreateSpanReader()
	if err != nil {
		return nil, err
	}
	dependencies, err := storage.CreateDependencyReader()
	if err != nil {
		return nil, err
	}
	series, err := disabled.NewMetricsReader()
	if err != nil {
		return nil, err
	}
	adjusters := adjuster.Sequence(querysvc.StandardAdjusters(0)...)
	service := querysvc.NewQueryService(reader, dependencies, querysvc.QueryServiceOptions{Adjuster: adjusters})
	options := &query.QueryOptions{BasePath: "/"}
	options.HTTP.Endpoint = *queryHTTP
	options.GRPC.NetAddr.Endpoint = *queryGRPC
	server, err := query.NewServer(service, series, options, tenants, telemetery.Setting{
		Logger:         logger,
		TracerProvider: jtracer.NoOp().OTEL,
		Metrics:        metrics.NullFactory,
		ReportStatus: func(event *componentstatus.Event) {
			if event.Err() != nil {
				logger.Fatal("jaeger's query API ended", zap.Error(event.Err()))
			}
		},
	})
	if err != nil {
		return nil, err
	}
	return server, server.Start()
}

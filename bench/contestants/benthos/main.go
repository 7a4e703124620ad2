// Benthos as its documentation has it: an input, a rate limit, the http processor, an output; built by Go, as a
// plugin's documentation shows it. What Kafka needs stands in kafka.go, the signature in sign.go.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const config = `
input:
  franz: {}
pipeline:
  threads: %d
  processors:
    - sign: {}
    - http:
        url: %s/
        verb: POST
        retries: 0
        parallel: true
        %s
        headers:
          Content-Type: application/x-www-form-urlencoded
          x-acs-action: ImageModeration
          x-acs-content-sha256: ${! @payload }
          x-acs-date: ${! @date }
          x-acs-signature-nonce: ${! @nonce }
          x-acs-version: "2022-03-02"
          Authorization: ${! @authorization }
    - mapping: |
        root.event_id = @event_id
        root.risk_level = if this.Code == 200 { this.Data.RiskLevel } else { throw("the provider answered %%v".format(this.Code)) }
output:
  reject_errored:
    franz: {}
logger:
  level: WARN
`

const paced = `
rate_limit_resources:
  - label: quota
    local:
      count: 1
      interval: %s
`

func main() {
	inFlight, err := strconv.Atoi(task("IN_FLIGHT"))
	must(err)
	// Go keeps two idle connections to a host of its own accord, and opens one for each call beyond.
	transport := http.DefaultTransport.(*http.Transport)
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = inFlight, inFlight

	limit, resources := "", ""
	if task("PACED") == "1" {
		quota, err := strconv.Atoi(task("QUOTA"))
		must(err)
		limit, resources = "rate_limit: quota", fmt.Sprintf(paced, time.Second/time.Duration(quota))
	}
	builder := service.NewStreamBuilder()
	must(builder.SetYAML(fmt.Sprintf(config, inFlight, task("PROVIDER"), limit) + resources))
	stream, err := builder.Build()
	must(err)

	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		<-stopped.Done()
		must(stream.StopWithin(8 * time.Second))
		os.Exit(0)
	}()
	must(stream.Run(context.Background()))
	select {} // stopped: the exit above comes once all is closed
}

func task(name string) string { return os.Getenv("BENCH_" + name) }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

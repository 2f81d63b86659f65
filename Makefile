# Firstframe. The two commands to know: make demo, make test.

GO         ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     = -s -w -X main.version=$(VERSION)
FUZZTIME   ?= 2m
KILLS      ?= 500

.PHONY: demo test build bin/agent bin/collector bin/lab lint unit bench fuzz chaos tools console clean

# A lab of CDNs, a collector and a fleet on this machine; prints one address.
demo: tools-demo build
	@exec bin/lab demo

# Everything that must pass before a change lands.
test: tools-test lint build unit

build: bin/agent bin/collector bin/lab

# The agent is pure Go and static, so that it runs anywhere.
bin/agent:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./agent

bin/collector:
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./collector

bin/lab:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./deploy/lab

lint: bin/tools/staticcheck console
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
	$(GO) mod verify >/dev/null
	$(GO) vet ./...
	bin/tools/staticcheck ./...

bin/tools/staticcheck:
	GOBIN=$(CURDIR)/bin/tools $(GO) install $(STATICCHECK)

# The console's scripts need no build: they are type checked, and the chart
# library in the tree is compared with the one that npm installs.
console:
	cd collector/console && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check

# Tests that start servers and browsers run package by package, two at a time.
unit:
	CGO_ENABLED=1 $(GO) test -race -p 2 -timeout 15m ./...

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s -p 1 ./...

# Kills agents and collector KILLS times and accounts for every run.
chaos:
	FIRSTFRAME_CHAOS=$(KILLS) CGO_ENABLED=1 $(GO) test -count 1 -v -run TestKills -timeout 6h ./deploy/lab/e2e

# Each fuzz target for FUZZTIME; the seeds run with the tests.
fuzz:
	@set -e; for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzzminimizetime 20x -fuzztime $(FUZZTIME) $$p; \
	  done; done

tools-demo:
	@deploy/tools.sh go c++

tools-test:
	@deploy/tools.sh go c++ node chromium promtool

clean:
	rm -rf bin collector/console/node_modules

# Firstframe. The two commands to know: make demo, make test.

GO         ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     = -s -w -X main.version=$(VERSION)
FUZZTIME   ?= 2m
KILLS      ?= 500

.PHONY: demo test build bin/agent bin/collector bin/lab lint unit bench fuzz chaos tools console plugin clean

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

# The data source for Grafana, checked and zipped as Grafana takes it. Its front
# end is type checked against the oldest Grafana that it supports and the newest.
PLUGIN = build/firstframe-datasource
plugin: tools-plugin
	rm -rf $(PLUGIN) $(PLUGIN).zip && mkdir -p $(PLUGIN)
	cd dashboards/datasource && npm ci --no-audit --no-fund --loglevel=error && npm run --silent check && npm run --silent build
	cd dashboards/datasource && npm --prefix newest ci --no-audit --no-fund --loglevel=error && npm run --silent check-newest
	cp -R dashboards/datasource/dist/. dashboards/datasource/src/img dashboards/datasource/README.md CHANGELOG.md LICENSE $(PLUGIN)/
	v=$$(node -p 'require("./dashboards/datasource/package.json").version') && \
	  sed -e "s/%VERSION%/$$v/" -e "s/%TODAY%/$$(git log -1 --format=%cs)/" dashboards/datasource/src/plugin.json > $(PLUGIN)/plugin.json
	@set -e; for os in linux darwin windows; do for arch in amd64 arm64; do \
	  ext=; [ $$os != windows ] || ext=.exe; echo "plugin for $$os/$$arch"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w' -o $(PLUGIN)/gpx_firstframe_$${os}_$$arch$$ext ./dashboards/datasource/pkg; \
	done; done
	cd build && zip -q -r -X firstframe-datasource.zip firstframe-datasource

# Where a world of processes is started, or time is the subject, a package has
# the machine to itself. The measurements of probes run without the race
# detector, which adds to them; what they run is under it everywhere else.
ALONE = ./collector ./collector/console ./probes/fetch ./deploy/lab/...
unit:
	CGO_ENABLED=1 $(GO) test -race -timeout 15m $$($(GO) list ./... | grep -vxF "$$($(GO) list ./probes $(ALONE))")
	CGO_ENABLED=1 $(GO) test -race -p 1 -timeout 15m $(ALONE)
	$(GO) test ./probes

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s -p 1 ./...

# Kills agents and collector KILLS times and accounts for every run.
chaos:
	FIRSTFRAME_CHAOS=$(KILLS) CGO_ENABLED=1 $(GO) test -count 1 -v -run TestKills -timeout 6h ./deploy/lab/e2e

# Each fuzz target for FUZZTIME; the seeds run with the tests.
fuzz:
	@deploy/fuzz.sh $(FUZZTIME)

tools-demo:
	@deploy/tools.sh go c++

tools-plugin:
	@deploy/tools.sh go node zip

tools-test:
	@deploy/tools.sh go c++ node chromium promtool

clean:
	rm -rf bin build collector/console/node_modules dashboards/datasource/node_modules dashboards/datasource/newest/node_modules \
	  dashboards/datasource/dist dashboards/datasource/dist-test

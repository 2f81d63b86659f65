# Firstframe. The two commands to know: make demo, make test.

GO         ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION    ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS     = -s -w -X main.version=$(VERSION)
FUZZTIME   ?= 2m
KILLS      ?= 500

.PHONY: demo test build bin/agent bin/collector bin/lab lint lint-go unit unit-race unit-plain unit-alone bench fuzz chaos fidelity console front plugin clean \
	tools-demo tools-fidelity tools-plugin tools-test

# A lab of CDNs, a collector and a fleet on this machine; prints one address.
demo: tools-demo build
	@exec bin/lab demo

# Everything that must pass before a change lands: what needs the machine for
# itself comes last.
test: tools-test build
	@$(MAKE) --no-print-directory -j 3 lint-go console front $(PLAYERS) unit-race unit-plain
	@$(MAKE) --no-print-directory unit-alone

build: bin/agent bin/collector bin/lab

# The agent is pure Go and static, so that it runs anywhere.
bin/agent:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./agent

bin/collector:
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./collector

bin/lab:
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $@ ./deploy/lab

# The scripts' packages take the longest, and wait more than they work.
lint:
	@$(MAKE) --no-print-directory -j 3 lint-go console front

lint-go: bin/tools/staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "gofmt wants to change:"; echo "$$out"; exit 1; fi
	$(GO) mod verify >/dev/null
	$(GO) vet -trimpath ./...
	GOFLAGS=-trimpath bin/tools/staticcheck ./...

bin/tools/staticcheck:
	GOBIN=$(CURDIR)/bin/tools $(GO) install $(STATICCHECK)

# Node's packages are installed again when their lock has changed.
NPM_CI = npm ci --no-audit --no-fund --loglevel=error && touch node_modules/.package-lock.json
%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && $(NPM_CI)

# The real players that probes are compared with.
PLAYERS = deploy/fidelity/node_modules/.package-lock.json

# The console's scripts need no build: they are type checked, and the chart
# library in the tree is compared with the one that npm installs.
console: collector/console/node_modules/.package-lock.json
	cd collector/console && npm run --silent check

# The data source's front end: types against the oldest Grafana, and unit tests.
SOURCE = dashboards/datasource
front: $(SOURCE)/node_modules/.package-lock.json
	cd $(SOURCE) && npm run --silent check

# The data source for Grafana, zipped as Grafana takes it, after its editors were
# clicked and typed in a browser with the packages of the oldest Grafana that it
# supports and of the newest.
PLUGIN = build/firstframe-datasource
plugin: tools-plugin front $(SOURCE)/newest/node_modules/.package-lock.json
	rm -rf $(PLUGIN) $(PLUGIN).zip && mkdir -p $(PLUGIN)
	cd $(SOURCE) && npm run --silent build && npm run --silent check-newest && npm run --silent mount
	cp -R $(SOURCE)/dist/. $(SOURCE)/src/img $(SOURCE)/README.md CHANGELOG.md LICENSE $(PLUGIN)/
	v=$$(node -p 'require("./$(SOURCE)/package.json").version') && \
	  sed -e "s/%VERSION%/$$v/" -e "s/%TODAY%/$$(git log -1 --format=%cs)/" $(SOURCE)/src/plugin.json > $(PLUGIN)/plugin.json
	@set -e; for os in linux darwin windows; do for arch in amd64 arm64; do \
	  ext=; [ $$os != windows ] || ext=.exe; echo "plugin for $$os/$$arch"; \
	  CGO_ENABLED=0 GOOS=$$os GOARCH=$$arch $(GO) build -trimpath -ldflags '-s -w' -o $(PLUGIN)/gpx_firstframe_$${os}_$$arch$$ext ./$(SOURCE)/pkg; \
	done; done
	cd build && zip -q -r -X firstframe-datasource.zip firstframe-datasource

# Where a world of processes is started, or time is the subject, a package has
# the machine to itself. Without the race detector run the measurements of
# probes, to which it adds, and the dashboards, which drive programs that were
# built without it; it is everywhere else. The lab's tests wait more than they
# work. Trimmed paths let a fresh checkout use what another has compiled; lint
# vets.
ALONE = ./collector ./collector/console ./probes/fetch ./probes/player
LAB   = ./deploy/...
PLAIN = ./dashboards/...
GOTEST = $(GO) test -trimpath -vet=off -timeout 15m
unit: build
	@$(MAKE) --no-print-directory -j 2 unit-race unit-plain
	@$(MAKE) --no-print-directory unit-alone

unit-race unit-plain unit-alone: export FIRSTFRAME_BIN = $(CURDIR)/bin
unit-race:
	CGO_ENABLED=1 $(GOTEST) -race $$($(GO) list ./... | grep -vxF "$$($(GO) list ./probes $(PLAIN) $(ALONE) $(LAB))")

unit-plain:
	$(GOTEST) $(PLAIN)

unit-alone: $(PLAYERS)
	CGO_ENABLED=1 $(GOTEST) -race -p 1 $(ALONE)
	CGO_ENABLED=1 $(GOTEST) -race -p 1 -parallel 4 $(LAB)
	$(GOTEST) ./probes

bench:
	$(GO) test -run '^$$' -bench . -benchtime 1s -timeout 30m -p 1 ./...

# Kills agents and collector KILLS times and accounts for every run.
chaos:
	FIRSTFRAME_CHAOS=$(KILLS) CGO_ENABLED=1 $(GO) test -count 1 -v -run TestKills -timeout 6h ./deploy/lab/e2e

# Each fuzz target for FUZZTIME; the seeds run with the tests.
fuzz:
	@deploy/fuzz.sh $(FUZZTIME)

# The same streams in real players and with the probe, over the same lines, into
# build/fidelity; goes on where it was stopped. QUICK=1 for ten minutes. The agent
# has no version, so that a commit alone does not make its plays count no more.
fidelity: tools-fidelity $(PLAYERS)
	deploy/fidelity/media.sh build/fidelity/media
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -o build/fidelity/agent ./agent
	$(GO) run ./deploy/fidelity --agent build/fidelity/agent

tools-demo:
	@deploy/tools.sh go c++

tools-plugin:
	@deploy/tools.sh go node zip chromium

tools-fidelity:
	@deploy/tools.sh go node chromium ffmpeg xxd nsenter

tools-test:
	@deploy/tools.sh go c++ node chromium ffmpeg nsenter promtool

clean:
	rm -rf bin build collector/console/node_modules deploy/fidelity/node_modules \
	  $(addprefix $(SOURCE)/,node_modules newest/node_modules dist dist-test dist-mount)

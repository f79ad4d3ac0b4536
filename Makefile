# Larder: `make run` serves the example API, `make test` runs everything.

SWIFT ?= swift

.PHONY: help run run-gateway test test-compiler-errors test-consumer test-core test-redis test-large test-tsan fuzz attack
.PHONY: bench bench-gateway bench-peers bench-curves bench-faults bench-tools tools docs format
.PHONY: test-catalogue test-dashboard catalogue-tools test-deployment test-traces test-memory test-api manual shell-tools

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

run: ## build the release product and serve the example API on 127.0.0.1:8080
	$(SWIFT) build -c release --product larder-demo
	LARDER_ADMIN_ACCESS="$${LARDER_ADMIN_ACCESS-loopback}" \
	    exec "$$($(SWIFT) build -c release --show-bin-path)/larder-demo"

run-gateway: ## serve the example API on port 9000, and the gateway in front of it on http://127.0.0.1:8000
	$(SWIFT) build -c release --product larder-demo
	$(SWIFT) build -c release --product larder
	@bin="$$($(SWIFT) build -c release --show-bin-path)"; \
	export LARDER_ADMIN_ACCESS="$${LARDER_ADMIN_ACCESS-loopback}"; \
	PORT=9000 "$$bin/larder-demo" & demo=$$!; \
	sleep 1; kill -0 $$demo 2>/dev/null || exit 69; \
	"$$bin/larder" serve --config Examples/Gateway/larder.yaml & gateway=$$!; \
	trap 'kill $$gateway $$demo 2>/dev/null' INT TERM; \
	wait $$gateway; code=$$?; trap - INT TERM; \
	kill $$gateway $$demo 2>/dev/null; wait; exit $$code

# Debian's redis-server is a link to a program of redis-tools, and a service that starts at once and at every boot. The
# tests start servers of their own, so the link is all they need. Of prometheus, a service too, they need promtool alone.
tools: # the programs that the tests start
	@if command -v redis-server >/dev/null && command -v openssl >/dev/null && command -v curl >/dev/null \
	    && command -v promtool >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then \
	    $$([ "$$(id -u)" = 0 ] || echo sudo) sh -ec 'apt-get update -q; \
	    apt-get install -yq --no-install-recommends redis-tools openssl curl; \
	    command -v redis-server >/dev/null || ln -s "$$(command -v redis-check-rdb)" /usr/local/bin/redis-server; \
	    command -v promtool >/dev/null && exit; \
	    directory=$$(mktemp -d); cd "$$directory"; chmod 755 .; apt-get download -q prometheus; \
	    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xf - ./usr/bin/promtool; \
	    install usr/bin/promtool /usr/local/bin/promtool; rm -r "$$directory"'; \
	else brew install redis openssl curl prometheus; fi

# The tests of completions and manual pages need them, and check what is there.
shell-tools: # the shells with completions, and the readers of manual pages
	@if command -v zsh >/dev/null && command -v fish >/dev/null && command -v mandoc >/dev/null; then :; \
	elif command -v apt-get >/dev/null; then \
	    $$([ "$$(id -u)" = 0 ] || echo sudo) sh -ec 'apt-get update -q; \
	    apt-get install -yq --no-install-recommends zsh fish mandoc groff-base'; \
	else brew install fish mandoc groff; fi

manual: ## write the manual pages, Operators/man, from the commands
	$(SWIFT) build --product larder
	mkdir -p Operators/man
	"$$($(SWIFT) build --show-bin-path)/larder" manual Operators/man

test: tools shell-tools test-consumer ## run every test but those of test-tsan
	$(SWIFT) build --build-tests --explicit-target-dependency-import-check error
	SWIFT='$(SWIFT)' Tests/CompilerErrors/check.sh
	$(SWIFT) test --skip-build --skip 'MemoryTests|RedisTests|RedisClientTests|HummingbirdTests|DemoTests|GatewayTests'
	$(SWIFT) test --skip-build --filter RedisClientTests
	$(SWIFT) test --skip-build --filter LarderRedisTests --skip 'MemoryTests|BusyProcessTests'
	$(SWIFT) test --skip-build --filter 'LarderHummingbirdTests|LarderDemoTests' --skip MemoryTests
	$(SWIFT) test --skip-build --filter LarderGatewayTests --skip 'LargeBodyTests|MemoryTests|AttackTests|DrainTests|RestartTests'
	# These begin TLS handshakes late, for which a client has 20 s, or restart gateways under load: not beside two
	# hundred others.
	$(SWIFT) test --skip-build --filter 'LarderGatewayTests.*(AttackTests|DrainTests|RestartTests)' --skip ProcessMemory
	# These measure processes, so they have the machine to themselves. The processes that MemoryTests starts inherit
	# open sockets, so it does not run beside those that use some.
	$(SWIFT) test --skip-build --filter 'MemoryTests'
	$(SWIFT) test --skip-build --filter 'LargeBodyTests|ProcessMemory'
	$(SWIFT) test --skip-build --filter BusyProcessTests # tell a slow Redis from a busy process

test-compiler-errors: ## check that ordinary mistakes are one clear error of the compiler
	$(SWIFT) build
	SWIFT='$(SWIFT)' Tests/CompilerErrors/check.sh

test-consumer: ## check which packages are resolved for a package that depends on Larder
	SWIFT='$(SWIFT)' Tests/Consumer/check.sh

test-api: ## send generated requests to the admin API and the example API, in a minute; installs schemathesis
	$(SWIFT) build --product larder
	$(SWIFT) build --product larder-demo
	SWIFT='$(SWIFT)' Tests/API/check.sh

test-redis: tools ## test the Redis client against a real server
	$(SWIFT) test --filter RealServerTests

test-core: tools ## run the tests that need no Hummingbird, in seconds
	CORE_ONLY=1 $(SWIFT) test --scratch-path .build-core

# Built for release, in which a million requests take a second.
test-traces: tools ## compare eviction policies and simulations with the reference values of all traces, in minutes
	CORE_ONLY=1 LARDER_TRACES=1 $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build-traces \
	    --filter 'TraceTests'

test-memory: tools ## send ten million keys through a memory store, and measure the process, in minutes
	CORE_ONLY=1 LARDER_MEMORY=1 $(SWIFT) test -c release -Xswiftc -enable-testing --scratch-path .build-traces \
	    --filter '^LarderTests.MemoryTests'

test-large: tools ## send bodies of 2 GiB through the gateway
	$(SWIFT) build --build-tests
	LARDER_LARGE=1 $(SWIFT) test --skip-build --filter LargeBodyTests

test-dashboard: ## test the dashboard in headless Chromium, which is installed if it is missing
	$(SWIFT) build --product larder-demo
	SWIFT='$(SWIFT)' Tests/Dashboard/check.sh

# The script of the container installs Debian in a folder, and needs debootstrap, as does the one that boots systemd.
test-deployment: ## check the systemd units and the Containerfile with a release build, as root, in minutes
	$(SWIFT) build -c release --product larder --static-swift-stdlib
	program="$$($(SWIFT) build -c release --static-swift-stdlib --show-bin-path)/larder"; \
	Operators/systemd/check.sh "$$program" && Operators/systemd/boot.sh "$$program" \
	    && Operators/container/check.py --program "$$program"

test-catalogue: tools catalogue-tools ## test the second example, which is a package with SQLite
	$(SWIFT) test --package-path Examples/Catalogue

catalogue-tools: # the libraries that the second example links
	@if [ -e /usr/include/sqlite3.h ] && [ -e /usr/include/zlib.h ]; then :; \
	elif command -v apt-get >/dev/null; then \
	    $$([ "$$(id -u)" = 0 ] || echo sudo) sh -ec 'apt-get update -q; \
	    apt-get install -yq --no-install-recommends libsqlite3-dev zlib1g-dev'; fi

fuzz: tools ## compare 20,000 generated connections to gateways with and without responses that are sent at once
	$(SWIFT) build --build-tests
	LARDER_FUZZ=$(or $(STREAMS),20000) $(SWIFT) test --skip-build --filter FastLaneTests

attack: tools ## run the attacks of docs/threats.md at full size, in minutes
	$(SWIFT) build --build-tests
	LARDER_ATTACK=1 $(SWIFT) test --skip-build --filter AttackTests --skip ProcessMemory
	LARDER_ATTACK=1 $(SWIFT) test --skip-build --filter ProcessMemoryAttackTests

# Tables of rules and texts are left out: in them nothing runs beside anything. One test at a time: some wait for what
# Redis or a heartbeat does in real time, and side by side this slows them tenfold.
test-tsan: tools ## run the core tests under Thread Sanitizer
	CORE_ONLY=1 $(SWIFT) test --sanitize=thread --scratch-path .build-tsan --no-parallel \
	    --skip 'MemoryTests|BusyProcessTests|TidyTests|HTTPCachingTests|ConversationTests|RulesTests|ExplainingTests' \
	    --skip 'RuleTests|KeyTests|KeyForgeryTests|PathSpellingTests'

# Without debugging information, which valgrind 3.19 cannot read.
bench: tools bench-tools ## compare hits with the bare route, and with nginx and Varnish
	@command -v valgrind >/dev/null || { echo "make bench needs valgrind" >&2; exit 1; }
	$(SWIFT) build --package-path Benchmarks -c release -Xlinker -S
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks"
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks" gateway

bench-gateway: bench-tools ## compare hits of the gateway with nginx and Varnish, in processor time
	$(SWIFT) build --package-path Benchmarks -c release -Xlinker -S
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks" gateway

bench-tools: # nginx and Varnish, which only the benchmarks need
	@Benchmarks/fetch-proxies.sh .build-proxies nginx varnishd

bench-peers: tools ## compare Larder with other caches, and write docs/benchmarks.md and the README's ratios, in minutes
	@Benchmarks/fetch-proxies.sh .build-proxies nginx varnishd haproxy h2load python
	$(SWIFT) build --package-path Benchmarks -c release -Xlinker -S
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks" peers

# 10,000,000 entries need 18 GiB of memory.
ENTRIES ?= 100 1000 10000 100000 1000000

bench-curves: tools ## measure hits as entries, bodies, connections, tags and invalidations grow, and write docs/benchmarks.md
	$(SWIFT) build --package-path Benchmarks -c release -Xlinker -S
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks" curves --entries $(ENTRIES)

bench-faults: tools ## measure the waits for a Redis that fails, and the requests that a stopped gateway loses
	$(SWIFT) build --package-path Benchmarks -c release -Xlinker -S
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks" faults

docs: ## build the documentation of the library's modules, below .build/docs
	$(SWIFT) build
	SWIFT='$(SWIFT)' docs/build.sh .build/docs
	@echo "python3 -m http.server --directory .build/docs    # serves it on http://localhost:8000/documentation/"

format: ## format the sources
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Examples Benchmarks/Package.swift Benchmarks/Sources

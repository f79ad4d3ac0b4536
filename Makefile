# Larder: `make run` serves the example API, `make test` runs everything.

SWIFT ?= swift

.PHONY: help run test test-core test-redis test-tsan bench tools format

help: ## what there is
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

run: ## build the release product and serve the example API on 127.0.0.1:8080
	$(SWIFT) build -c release --product larder-demo
	"$$($(SWIFT) build -c release --show-bin-path)/larder-demo"

tools: # what the tests start beside Swift
	@command -v redis-server >/dev/null || if command -v apt-get >/dev/null; then \
	    $$([ "$$(id -u)" = 0 ] || echo sudo) sh -c 'apt-get update -q && apt-get install -yq --no-install-recommends redis-server'; \
	else brew install redis; fi

test: tools ## run every test but those of test-redis and test-tsan
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip RealServerTests --skip MemoryTests
	$(SWIFT) test --skip-build --filter MemoryTests # measures the process, so it has one to itself

test-redis: tools ## the Redis client against a real server; its deadlines want a machine that is not busy
	$(SWIFT) test --filter RealServerTests

test-core: tools ## the tests that need no Hummingbird, in seconds
	CORE_ONLY=1 $(SWIFT) test --scratch-path .build-core

test-tsan: ## the core tests under Thread Sanitizer
	CORE_ONLY=1 $(SWIFT) test --sanitize=thread --scratch-path .build-tsan --filter 'HTTPCachingTests|LarderTests' --skip MemoryTests

# Without debugging information, which valgrind 3.19 cannot read.
bench: ## what a hit costs beside the bare route, in instructions (valgrind) and processor time
	@command -v valgrind >/dev/null || { echo "make bench needs valgrind" >&2; exit 1; }
	$(SWIFT) build --package-path Benchmarks -c release -Xlinker -S
	"$$($(SWIFT) build --package-path Benchmarks -c release --show-bin-path)/larder-benchmarks"

format: ## lay the sources out
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources

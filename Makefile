# Slotline's commands; `make` alone lists them.
#
# Everything is installed at the versions locked in requirements/: into .venv, for the code generator into
# .venv-generate, for the servers that benchmarks compare with into .venv-bench and .venv-bench-stock, for the evaluation
# harness of a test into .venv-eval, for a client that wants an older openai package into .venv-instructor, and the oldest
# packages that our Python client takes into .venv-oldest. A stamp per step says what is done, so that a second run starts
# at once; a changed lock or pyproject.toml runs its step again.

PYTHON ?= python3
ARGS ?=

BIN := .venv/bin
GENERATE_BIN := .venv-generate/bin
EVAL_BIN := .venv-eval/bin
BASE := .venv/.installed-base
RUNTIME := .venv/.installed-runtime
TEST := .venv/.installed-test
GENERATE := .venv-generate/.installed
BENCH := .venv-bench/.installed
STOCK_BENCH := .venv-bench-stock/.installed
EVAL := .venv-eval/.installed
INSTRUCTOR := .venv-instructor/.installed
OLDEST := .venv-oldest/.installed
# Packages of Node: clients for tests, tests of the page's modules, the page's third-party modules, the client.
NODE := $(patsubst %,%/node_modules/.installed,tests/node tests/web tools/web clients/typescript)
TYPESCRIPT := clients/typescript/node_modules/.installed

PIP_FLAGS := --no-deps --no-build-isolation --require-hashes
# Tests start Python some hundred times: compiled modules are kept even if the environment says otherwise.
pytest test-fast: export PYTHONDONTWRITEBYTECODE :=
# Tests wait for processes most of the time; more than a few at once only wait for each other.
PARALLEL := -n logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder
CHECKED_TYPES := service rest_adapter slotline $(patsubst %,clients/python/src/slotline/%,client options protocol) \
	tools tests bench
COMPILE = $(GENERATE_BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" --quiet

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# How llama.cpp is compiled (docs/adr/0019-llama-cpp-is-compiled-with-care.md); compilers that do not know a flag do not
# need it. GCC 12 drops stores that the AMX kernels need. With half-precision vectors, attention falls back to single
# numbers for heads of less than 128 dimensions.
COMPILER_FLAGS := $(strip $(foreach flag,-fno-dse -mno-avx512fp16,\
	$(shell echo | $${CXX:-c++} $(flag) -x c++ -E - >/dev/null 2>&1 && echo $(flag))))
export CFLAGS := $(strip $(COMPILER_FLAGS) $(CFLAGS))
export CXXFLAGS := $(strip $(COMPILER_FLAGS) $(CXXFLAGS))
# pip takes a wheel that it has built before whatever the flags were: builds are kept apart by their flags.
build_of = $(shell echo '$(1)' | cksum | cut -d' ' -f1)
BUILD := $(call build_of,$(CFLAGS) $(CXXFLAGS) $(CMAKE_ARGS))
CACHE = $$(folder=$$($(BIN)/python -m pip cache dir 2>/dev/null) && echo --cache-dir $$folder/slotline-$(BUILD))
# llama.cpp is compiled while it is installed; make builds one file at a time unless told otherwise.
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell getconf _NPROCESSORS_ONLN)

# Programs for gRPC that tests point at a server, built by Go.
GO_TOOLS := .go-tools/.installed
# Older ones cannot fetch the version of Go that a module asks for.
GO_IS_THERE = go version 2>/dev/null | grep -Eq ' go1\.(2[1-9]|[3-9][0-9])'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run test test-fast lint check-generated check-protos pytest programs docs generate baseline lock vendor wheels bench compat \
	client-rust test-clone clean

help: ## list the commands
	@echo 'usage: make COMMAND [ARGS="..."] [PYTHON=python3]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-18s%s\n", $$1, $$2 }'

run: $(RUNTIME) ## serve the default model; ARGS are further options of `slotline serve`
	exec $(BIN)/slotline serve -c 8192 -np 4 -cb --metrics --embedding $(ARGS)

test: lint check-generated check-protos pytest ## every check: lint, types, generated code, protos, all tests

test-fast: lint $(TEST) ## lint, types and unit tests, in less than two minutes
	$(BIN)/python -m pytest $(PARALLEL) --durations 20 tests/unit tests/engine

lint: $(TEST) ## style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CHECKED_TYPES)

check-generated: $(GENERATE) $(TEST) $(TYPESCRIPT) ## fail if the generated code does not match the protos
	$(GENERATE_BIN)/python -m tools.generate --check
	$(BIN)/python -m tools.generate_clients --check

check-protos: $(TEST) ## lint the protos and compare them with the published contract
	$(BIN)/buf format --diff --exit-code protos
	$(BIN)/buf lint protos
	$(BIN)/buf breaking protos --against protos/baseline.binpb

pytest: $(TEST) $(EVAL) $(INSTRUCTOR) $(OLDEST) $(NODE) $(GO_TOOLS) ## all tests; ARGS go to pytest
	$(BIN)/python -m pytest $(PARALLEL) --durations 20 $(ARGS)

docs: $(TEST) ## write the tables of docs/ from the code
	$(BIN)/python -m tools.document_api
	$(BIN)/python -m tools.document_metrics
	$(BIN)/python -m tools.document_options
	$(BIN)/python -m tools.document_rooms

generate: $(GENERATE) $(TEST) $(TYPESCRIPT) ## write the code of the protos and the tables of their options
	$(GENERATE_BIN)/python -m tools.generate
	$(BIN)/python -m tools.generate_clients

baseline: $(TEST) ## publish the protos as they are: later changes must stay compatible with them
	$(BIN)/buf build protos --exclude-source-info -o protos/baseline.binpb

lock: $(GENERATE) ## resolve requirements/*.in and pyproject.toml; ARGS="--upgrade" takes the newest versions
	$(COMPILE) $(ARGS) requirements/build.in -o requirements/build.txt
	$(COMPILE) $(ARGS) --extra default-model --excludes requirements/excludes-lock.in \
		pyproject.toml clients/python/pyproject.toml -o requirements/lock.txt
	$(COMPILE) $(ARGS) --excludes requirements/excludes-test.in requirements/test.in -o requirements/test.txt
	$(COMPILE) $(ARGS) requirements/generate.in -o requirements/generate.txt
	$(COMPILE) $(ARGS) requirements/bench-build.in -o requirements/bench-build.txt
	$(COMPILE) $(ARGS) requirements/bench.in -o requirements/bench.txt
	$(COMPILE) $(ARGS) requirements/eval-build.in -o requirements/eval-build.txt
	$(COMPILE) $(ARGS) requirements/eval.in -o requirements/eval.txt
	$(COMPILE) $(ARGS) requirements/instructor.in -o requirements/instructor.txt
	$(COMPILE) $(ARGS) requirements/oldest.in -o requirements/oldest.txt

vendor: tools/web/node_modules/.installed ## copy the page's third-party modules from the packages pinned in tools/web
	$(call need,node,install nodejs 20 or newer and npm with your system's package manager)
	node tools/web/copy.mjs

wheels: $(BASE) ## build both distributions into dist/
	$(BIN)/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist ./clients/python .

bench: $(TEST) $(BENCH) $(STOCK_BENCH) ## measure speed and memory beside llama.cpp's own server; ARGS go to the benchmark
	$(BIN)/python -m bench $(ARGS)

client-rust: ## build the example for Rust, which takes minutes the first time
	$(call need,cargo,install Rust 1.88 or newer)
	cargo build --release --manifest-path clients/rust/Cargo.toml

compat: $(TEST) ## run llama.cpp's own tests of its server against Slotline; ARGS name files, or are --rewrite
	$(BIN)/python -m tests.compat $(ARGS)

test-clone: ## clone HEAD and try `make run` and `make test` in it, as a stranger would
	$(PYTHON) tests/clone/check_clone.py $(ARGS)

clean: ## remove environments, builds and caches
	rm -rf .go-tools .venv .venv-generate .venv-bench .venv-bench-stock .venv-eval .venv-instructor .venv-oldest $(dir $(NODE))
	rm -rf clients/typescript/dist clients/typescript/build clients/java/target clients/rust/target
	rm -rf dist build .compat .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +

# need,COMMAND,WHY: stops with one line if a command is missing.
need = @command -v $(1) >/dev/null || { echo "error: $(1) is missing: $(2)" >&2; exit 1; }

$(BASE): requirements/build.txt
	$(call need,$(PYTHON),install Python 3.11 or newer or name one with PYTHON=...)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: $(PYTHON) is \
	$$($(PYTHON) --version); Python 3.11 or newer is needed; name one with PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) cannot make virtual \
	environments; install its venv package (python3-venv on Debian and Ubuntu)" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/build.txt
	@touch $@

# An environment from before other flags loses its build.
.venv/.build-$(BUILD): | $(BASE)
	@$(BIN)/python -m pip uninstall --quiet --yes llama-cpp-python 2>/dev/null
	@rm -f .venv/.build-* && touch $@

$(RUNTIME): $(BASE) .venv/.build-$(BUILD) requirements/lock.txt pyproject.toml clients/python/pyproject.toml
	$(call need,cmake,llama.cpp is compiled on this machine; install cmake 3.21 or newer)
	$(call need,$${CXX:-c++},llama.cpp is compiled on this machine; install a C++ compiler (g++ or clang))
	@echo "Installing. The first time this compiles llama.cpp, which takes some minutes."
	$(BIN)/python -m pip install $(CACHE) $(PIP_FLAGS) -r requirements/lock.txt
	$(BIN)/python -m pip install --no-deps --no-build-isolation -e clients/python -e .
	@touch $@

$(TEST): $(RUNTIME) requirements/test.txt
	$(BIN)/python -m pip install $(PIP_FLAGS) -r requirements/test.txt
	@touch $@

# What neither pip nor npm can bring, one by one: where one cannot be installed, only its tests are skipped. Any Chromium
# does, but the one without a user interface takes half the time for the tests of the page.
BROWSERS := chromium-headless-shell chromium chromium-browser google-chrome
MISSING = for name in curl jq node npm go mvn javac; do command -v $$name >/dev/null || echo $$name; done; \
	{ for name in $(1); do command -v $$name && break; done; } | grep -q . || echo chromium
programs:
	@missing=$$($(call MISSING,chromium-headless-shell)); \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update; then \
		install() { DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "$$1"; }; \
		for name in $$missing; do case $$name in \
			node) install nodejs;; \
			go) install golang-go;; \
			mvn) install maven;; \
			javac) install default-jdk-headless;; \
			chromium) install chromium-headless-shell || install chromium;; \
			*) install $$name;; esac; done; \
	fi; \
	missing=$$($(call MISSING,$(BROWSERS))); \
	if [ -n "$$missing" ]; then echo "note: missing:" $$missing "- tests of clients and of the page that need it are \
	skipped; install curl, jq, nodejs (20.19 or newer), npm, go (1.21 or newer), maven, a JDK (17 or newer) and chromium with your system's \
	package manager" >&2; fi

%/node_modules/.installed: %/package.json %/package-lock.json %/.npmrc | programs
	@if command -v npm >/dev/null; then cd $* && npm ci && touch node_modules/.installed; fi

$(GENERATE) $(INSTRUCTOR) $(OLDEST): .venv-%/.installed: requirements/%.txt | $(BASE)
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# The peers twice: with the flags of the library, and as `pip install` builds them. Without llama.cpp's own tests and
# examples, of which there are a hundred, that takes six minutes on two cores and not twenty.
PROGRAMS_ONLY := -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF
$(STOCK_BENCH): private BUILD := $(call build_of,$(CMAKE_ARGS))
$(STOCK_BENCH): private export CFLAGS :=
$(STOCK_BENCH): private export CXXFLAGS :=
$(BENCH) $(STOCK_BENCH): %/.installed: requirements/bench-build.txt requirements/bench.txt | $(BASE)
	@echo "Installing. This compiles llama.cpp's server and tools, which takes longer than llama.cpp itself."
	$(PYTHON) -m venv $*
	$*/bin/python -m pip install $(PIP_FLAGS) -r requirements/bench-build.txt
	CMAKE_ARGS="$(PROGRAMS_ONLY) $(CMAKE_ARGS)" $*/bin/python -m pip install $(CACHE) $(PIP_FLAGS) -r requirements/bench.txt
	@touch $@

$(GO_TOOLS): tests/e2e/go-tools.txt | programs
	@if $(GO_IS_THERE); then sed '/^#/d' $< | while read -r package; do \
		GOBIN=$(CURDIR)/.go-tools go install "$$package" || exit 1; done && touch $@; \
	else echo "note: Go 1.21 or newer is missing - tests of the Go client, grpcurl, grpc-health-probe and ghz are skipped" >&2; fi

$(EVAL): requirements/eval-build.txt requirements/eval.txt | $(BASE)
	$(PYTHON) -m venv .venv-eval
	$(EVAL_BIN)/python -m pip install $(PIP_FLAGS) -r requirements/eval-build.txt
	$(EVAL_BIN)/python -m pip install $(PIP_FLAGS) -r requirements/eval.txt
	@touch $@

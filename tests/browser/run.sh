#!/usr/bin/env bash
# The console's tests in a browser, at its API and at its doors: run.sh [BINARY]
#
# Wants Chromium, what package-lock.json names in target/browser-tools, and what requirements.txt names in target/schemathesis.
set -euo pipefail

cd "$(dirname "$0")/../.."
binary=$(realpath "${1:-target/debug/oort}")
work=$(mktemp -d)
runner=

clean() {
  if [ -n "$runner" ]; then
    kill -TERM -- "-$runner" 2>/dev/null && sleep 1
    kill -KILL -- "-$runner" 2>/dev/null
  fi
  rm -rf "$work"
}
trap 'clean || true' EXIT
trap 'exit 130' INT TERM HUP

mkdir -p target/browser
rm -f target/browser/*.png target/browser/*.log
# Node finds packages beside the files that want them.
cp tests/browser/*.mjs target/browser-tools/

export OORT_BINARY=$binary TMPDIR=$work NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
# A group of its own, so that all of it can be ended.
set -m
timeout --kill-after=5 350 node --test --test-concurrency=4 --test-reporter=spec target/browser-tools/*.test.mjs </dev/null &
runner=$!
set +m
wait "$runner"

#!/bin/sh
# Generated code is checked in: it must be what its sources give today.
set -eu
cd "$(dirname "$0")/.."
fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
cd proto
buf lint
buf generate --output "$fresh"
if ! diff -r gen "$fresh/gen" >/dev/null; then
  echo "proto/gen differs from its sources: run 'make gen' and commit" >&2
  exit 1
fi

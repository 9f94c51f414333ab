#!/usr/bin/env bash
# kgo.sh [go test options]   Runs the test suite of franz-go's client (package kgo, version 1.22.2, from the Go module proxy) on the
# broker. Left out are the tests of share groups (KIP-932), which the broker does not serve. Needs Go.
. "$(dirname "${BASH_SOURCE[0]}")/broker.sh"
VERSION=v1.22.2
MODULE=$(cd "$WORK" && go mod download -json "github.com/twmb/franz-go@$VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
cp -r "$MODULE" "$WORK/franz-go"
chmod -R u+w "$WORK/franz-go"
cd "$WORK/franz-go"
KGO_SEEDS=$ADDRESS KGO_TEST_RF=1 KGO_TEST_RECORDS=${KGO_TEST_RECORDS:-20000} \
  go test -count=1 -timeout 20m -skip 'Share' "$@" ./pkg/kgo

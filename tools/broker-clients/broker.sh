# Sourced by the scripts of this folder; bash only. Builds and starts a broker on a free port, with its data in a folder of its own;
# it ends with the script. Sets ADDRESS (host:port), BROKER_PID and WORK (a folder for the script, removed at its end). With BROKER=host:port in the
# environment that broker is used instead: Apache Kafka, for instance.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$(mktemp -d)
BROKER_PID=
trap 'if [ -n "$BROKER_PID" ]; then kill "$BROKER_PID" 2>/dev/null || true; wait "$BROKER_PID" 2>/dev/null || true; fi; chmod -R u+w "$WORK"; rm -rf "$WORK"' EXIT

if [ -n "${BROKER:-}" ]; then
  ADDRESS=$BROKER
else
  (cd "$ROOT" && cargo build --release -q -p stream-broker)
  TARGET=${CARGO_TARGET_DIR:-$ROOT/target}
  mkfifo "$WORK/ready"
  "$TARGET/release/stream-broker" --listen 127.0.0.1:0 --data-dir "$WORK/data" ${BROKER_OPTIONS:-} > "$WORK/ready" &
  BROKER_PID=$!
  read -r line < "$WORK/ready"
  ADDRESS=${line##* }
fi

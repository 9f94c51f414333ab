#!/usr/bin/env bash
# differential.sh HOST:PORT [FROM-TO]   Sends the same random sequences of requests to an embedded broker and to Apache Kafka at HOST:PORT, and
# shows where the answers differ: for each sequence the requests up to the first difference. Kafka has to be one node with
# auto.create.topics.enable=false, num.partitions=4, group.initial.rebalance.delay.ms=0 and
# group.consumer.assignment.interval.ms=0. FROM-TO are the seeds (0-100).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
DIFFERENTIAL_REFERENCE=${1:?HOST:PORT of Apache Kafka} DIFFERENTIAL_SEEDS=${2:-0-100} \
  cargo test --release -p stream-broker --test it apache_kafka_gives_the_same_answers -- --ignored --nocapture

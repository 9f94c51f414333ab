#!/usr/bin/env bash
# java-tools.sh LIB   Runs Apache Kafka's console tools on the broker and compares what they print with what they print on Kafka. LIB is a folder with the
# jars of kafka_2.13 and kafka-tools 4.x and their dependencies. Needs Java 17. With BROKER=host:port it runs on that broker.
. "$(dirname "${BASH_SOURCE[0]}")/broker.sh"
LIB=${1:?a folder with the jars of Kafka 4.x}
FAILED=0

tool() {
  local class=$1
  shift
  timeout 60 java -Xmx128m -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$LIB/*" "$class" --bootstrap-server "$ADDRESS" "$@" 2>&1
}

# expect CLAIM PATTERN OUTPUT
expect() {
  if grep -qE "$2" <<< "$3"; then
    echo "ok    $1"
  else
    printf 'WRONG %s: wanted /%s/, got:\n%s\n' "$1" "$2" "$3"
    FAILED=1
  fi
}

TOPICS=org.apache.kafka.tools.TopicCommand
GROUPS_TOOL=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand
CONSUMER=org.apache.kafka.tools.consumer.ConsoleConsumer
TOPIC=tools-$$

expect "kafka-topics creates" "Created topic $TOPIC" "$(tool $TOPICS --create --topic "$TOPIC" --partitions 3 --config retention.ms=86400000)"
expect "kafka-topics describes" "PartitionCount: 3.*retention.ms=86400000" "$(tool $TOPICS --describe --topic "$TOPIC")"
expect "kafka-configs alters" "Completed updating config for topic $TOPIC" \
  "$(tool kafka.admin.ConfigCommand --alter --entity-type topics --entity-name "$TOPIC" --add-config cleanup.policy=compact)"
expect "kafka-configs describes" "cleanup.policy=compact" "$(tool kafka.admin.ConfigCommand --describe --entity-type topics --entity-name "$TOPIC")"
tool kafka.admin.ConfigCommand --alter --entity-type topics --entity-name "$TOPIC" --delete-config cleanup.policy > /dev/null
expect "kafka-console-producer writes" "^$" "$(printf 'a\nb\nc\n' | tool org.apache.kafka.tools.ConsoleProducer --topic "$TOPIC")"
for protocol in classic consumer; do
  expect "kafka-console-consumer reads ($protocol)" "Processed a total of 3 messages" \
    "$(tool $CONSUMER --topic "$TOPIC" --from-beginning --group "g-$protocol-$$" --max-messages 3 --timeout-ms 30000 --command-property group.protocol=$protocol)"
  expect "kafka-consumer-groups describes ($protocol)" "g-$protocol-$$ +$TOPIC +[0-2] +[0-9]+ +[0-9]+ +0" "$(tool $GROUPS_TOOL --describe --group "g-$protocol-$$")"
  expect "kafka-consumer-groups resets ($protocol)" "$TOPIC +0 +0" \
    "$(tool $GROUPS_TOOL --reset-offsets --group "g-$protocol-$$" --topic "$TOPIC" --to-earliest --execute)"
  expect "kafka-consumer-groups deletes ($protocol)" "successful" "$(tool $GROUPS_TOOL --delete --group "g-$protocol-$$")"
done
expect "kafka-get-offsets shows ends" "$TOPIC:[0-2]:3|$TOPIC:[0-2]:[12]" "$(tool org.apache.kafka.tools.GetOffsetShell --topic "$TOPIC")"
printf '{"partitions":[{"topic":"%s","partition":0,"offset":-1}],"version":1}' "$TOPIC" > "$WORK/delete.json"
expect "kafka-delete-records deletes" "low_watermark: [0-9]+" "$(tool org.apache.kafka.tools.DeleteRecordsCommand --offset-json-file "$WORK/delete.json")"
expect "kafka-producer-perf-test writes with transactions" "2000 records sent" \
  "$(tool org.apache.kafka.tools.ProducerPerformance --topic "$TOPIC" --num-records 2000 --record-size 100 --throughput -1 --transactional-id "x-$$" --transaction-duration-ms 50)"
expect "kafka-transactions lists" "x-$$[[:space:]]+[0-9]+[[:space:]]+[0-9]+[[:space:]]+CompleteCommit" "$(tool org.apache.kafka.tools.TransactionsCommand list)"
expect "kafka-transactions describes" "CompleteCommit" "$(tool org.apache.kafka.tools.TransactionsCommand describe --transactional-id "x-$$")"
expect "kafka-transactions finds producers" "ProducerId" "$(tool org.apache.kafka.tools.TransactionsCommand describe-producers --topic "$TOPIC" --partition 0)"
expect "kafka-log-dirs describes" "\"topic\"|partition" "$(tool org.apache.kafka.tools.LogDirsCommand --describe --topic-list "$TOPIC")"
expect "kafka-features describes" "transaction.version.*FinalizedVersionLevel: (2|TV_2)" "$(tool org.apache.kafka.tools.FeatureCommand describe)"
expect "kafka-topics deletes" "^$" "$(tool $TOPICS --delete --topic "$TOPIC")"
exit $FAILED

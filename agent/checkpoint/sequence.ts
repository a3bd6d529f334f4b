const MAX_SEQUENCE = 2 ** 31 - 1;

/**
 * The base sequence that follows a batch: sequences count records and wrap from 2^31-1 to 0.
 * Source: DefaultRecordBatch.incrementSequence of Apache Kafka.
 */
export function advanceSequence(sequence: number, records: number): number {
  return sequence > MAX_SEQUENCE - records ? records - (MAX_SEQUENCE - sequence) - 1 : sequence + records;
}

/** How many records after `from` the sequence `to` is. */
export function sequenceDistance(from: number, to: number): number {
  return to >= from ? to - from : MAX_SEQUENCE - from + to + 1;
}

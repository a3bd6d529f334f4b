/**
 * Columns of each Parquet object, in this order, before the declared ones. In a file of their own, because the
 * decoding threads need them and nothing else of the configuration: what a thread loads, its garbage collector
 * looks through each time.
 */
export const ENVELOPE_COLUMNS = [
  'topic',
  'partition',
  'offset',
  'timestamp',
  'key',
  'key_bytes',
  'headers',
  'value',
  'value_bytes',
] as const;

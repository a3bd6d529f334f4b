import { appendOversized, appendRecord, type RecordSink } from './record-sink.ts';

const NEWLINE = 0x0a;

/**
 * Appends a record for each line of `source`, plain lines that end with a line feed. The source is copied to the start of the
 * sink's memory, which must have room for it there, and the kernel makes records of it up to a line that is too long, or
 * for which there is no room.
 */
export function frameLines(sink: RecordSink, source: Buffer): void {
  const { memory, maxRecordBytes } = sink;
  memory.bytes.set(source, 0);
  for (let start = 0; start < source.length;) {
    const limit = memory.bytes.length;
    [start, sink.at, sink.recordCount] = memory.frameLines(
      start,
      source.length,
      sink.at,
      limit,
      sink.recordCount,
      maxRecordBytes,
    );
    if (start >= source.length) return;
    const newline = source.indexOf(NEWLINE, start);
    const end = newline === -1 ? source.length : newline;
    if (end - start <= maxRecordBytes) appendRecord(sink, start, end);
    else appendOversized(sink, start, end);
    start = end + 1;
  }
}

import { bufferView, joinOwned } from '../../shared/codec/views.ts';
import type { ErrorCode } from '../../shared/errors.ts';
import type { TopicPartition } from '../../shared/kafka/consumer-protocol.ts';
import type { DecodeLayout } from './decode-range.ts';
import { envelopeHead, writeBase64, writeHeaders, writePosition } from './envelope.ts';
import { createJsonBytes, type JsonBytes } from './json-bytes.ts';
import { MAX_FRAME_TEXT_BYTES } from './record-format.ts';
import type { RecordView } from './record-view.ts';
import type { UndecodableBatch } from './verified-header.ts';

/** Why a record cannot be carried as its layout wants it. */
export interface Refusal {
  reason: Extract<ErrorCode, `RECORD_${string}`>;
  message: string;
}

/** What a job refused, as compressed JSON lines. Frames concatenate. */
export interface RefusedFrame {
  bytes: Uint8Array;
  records: number;
  byReason: Partial<Record<ErrorCode, number>>;
  /** Batches of which no record could be read. */
  batches: number;
  /** Before compression. */
  textBytes: number;
  firstOffset: number;
  lastOffset: number;
  /** Of the first record in Kafka; undefined when there are only batches, whose times nobody can know. */
  timestampMs?: number | undefined;
}

/** Takes copies. What comes, comes in the order of offsets. */
export interface RefusedRecords {
  add(record: RecordView, refusal: Refusal): void;
  addBatch(batch: UndecodableBatch, bytes: Uint8Array): void;
  /** Undefined when there was nothing. */
  finish(): Promise<RefusedFrame | undefined>;
}

/** Bytes are base64 always: whoever repairs them wants them as they were, and most were no text. */
export function createRefusedRecords(
  place: TopicPartition,
  { codec, level }: Pick<DecodeLayout, 'codec' | 'level'>,
): RefusedRecords {
  const head = envelopeHead(place);
  const byReason: Partial<Record<ErrorCode, number>> = {};
  const parts: Promise<Uint8Array>[] = [];
  let json: JsonBytes | undefined;
  let textBytes = 0;
  let records = 0;
  let batches = 0;
  let firstOffset: number | undefined;
  let lastOffset = 0;
  let timestampMs: number | undefined;

  const beginLine = (offset: number): JsonBytes => {
    firstOffset ??= offset;
    lastOffset = offset;
    json ??= createJsonBytes();
    json.ascii(head);
    return json;
  };

  const writeReason = (line: JsonBytes, reason: ErrorCode, message: string): void => {
    line.ascii(`,"reason":"${reason}","message":`);
    line.text(message);
    line.ascii(',');
  };

  const endLine = (line: JsonBytes): void => {
    line.ascii('}\n');
    if (line.length >= MAX_FRAME_TEXT_BYTES) closePart();
  };

  const closePart = (): void => {
    if (json === undefined) return;
    textBytes += json.length;
    parts.push(json.compressed(codec, level));
    json = undefined;
  };

  return {
    add: (record, { reason, message }) => {
      records += 1;
      timestampMs ??= record.timestampMs;
      byReason[reason] = (byReason[reason] ?? 0) + 1;
      const { section, keyStart, keyEnd, valueStart, valueEnd } = record;
      const line = beginLine(record.offset);
      writePosition(line, record);
      writeReason(line, reason, message);
      writeBase64(line, 'key', section, keyStart, keyEnd);
      line.ascii(',"headers":');
      writeHeaders(line, record);
      line.ascii(',');
      writeBase64(line, 'value', section, valueStart, valueEnd);
      endLine(line);
    },
    addBatch: ({ baseOffset, records: claimed, reason, message }, bytes) => {
      batches += 1;
      const line = beginLine(baseOffset);
      line.ascii(`${baseOffset},"records":${claimed}`);
      writeReason(line, reason, message);
      line.ascii('"batchBase64":');
      line.base64(bufferView(bytes), 0, bytes.length);
      endLine(line);
    },
    finish: async () => {
      closePart();
      if (firstOffset === undefined) return undefined;
      const bytes = joinOwned(await Promise.all(parts));
      return { bytes, records, byReason, batches, textBytes, firstOffset, lastOffset, timestampMs };
    },
  };
}

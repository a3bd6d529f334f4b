/**
 * A partition of a Kafka topic, by the broker's own rules for idempotent producers: the last five batches of a producer
 * id are remembered with their offsets. Source: ProducerAppendInfo and ProducerStateEntry of Apache Kafka.
 */
import { KafkaCode } from '../../../shared/kafka/error-codes.ts';
import { decodeRecords } from '../../../shared/wire/decode-records.ts';
import { BASE_OFFSET_AT, verifyBatch } from '../../../shared/wire/record-batch.ts';
import { splitRecordSet } from '../../../shared/wire/split-record-set.ts';
import type { SimClock } from './sim-clock.ts';

interface Remembered {
  baseSequence: number;
  lastSequence: number;
  baseOffset: number;
}

export interface Appended {
  errorCode: number;
  baseOffset: number;
}

/** A batch as it lies in the log: its bytes with the offset that the broker gave it. */
export interface StoredBatch {
  baseOffset: number;
  lastOffset: number;
  maxTimestampMs: number;
  bytes: Buffer;
}

export interface SimPartition {
  /** -1 when it has none. */
  leader: number;
  /** The value of each record, by offset. */
  readonly values: readonly Buffer[];
  /** The same as text. */
  readonly lines: string[];
  readonly batches: readonly StoredBatch[];
  /** Batches that the broker recognised, and did not append again. */
  readonly recognised: number;
  append(bytes: Buffer): Promise<Appended>;
  forgetProducers(): void;
}

const REMEMBERED_BATCHES = 5;
const MAX_SEQUENCE = 2 ** 31 - 1;

export function simPartition(leader: number, clock: SimClock): SimPartition {
  const values: Buffer[] = [];
  const batches: StoredBatch[] = [];
  const producers = new Map<bigint, Remembered[]>();
  let recognised = 0;
  let tail: Promise<unknown> = Promise.resolve();

  const appendNow = async (bytes: Buffer): Promise<Appended> => {
    const [span] = splitRecordSet(bytes).batches;
    const { producerId, baseSequence, recordCount, maxTimestampMs } = verifyBatch(bytes, span!);
    const lastSequence = (baseSequence + recordCount - 1) % (MAX_SEQUENCE + 1);
    const history = producers.get(producerId) ?? [];
    const known = history.find((r) => r.baseSequence === baseSequence && r.lastSequence === lastSequence);
    if (known !== undefined) {
      recognised += 1;
      return { errorCode: KafkaCode.NONE, baseOffset: known.baseOffset };
    }
    const last = history.at(-1);
    if (last !== undefined && baseSequence !== (last.lastSequence + 1) % (MAX_SEQUENCE + 1)) {
      return { errorCode: KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
    }
    const { records } = await clock.hold(decodeRecords(bytes, { span: span!, maxOutputBytes: 1 << 26 }));
    const baseOffset = values.length;
    for (const { value } of records) values.push(Buffer.from(value!));
    const stored = Buffer.from(bytes);
    stored.writeBigInt64BE(BigInt(baseOffset), BASE_OFFSET_AT);
    batches.push({ baseOffset, lastOffset: values.length - 1, maxTimestampMs, bytes: stored });
    history.push({ baseSequence, lastSequence, baseOffset });
    producers.set(producerId, history.slice(-REMEMBERED_BATCHES));
    return { errorCode: KafkaCode.NONE, baseOffset };
  };

  return {
    leader,
    values,
    batches,
    get lines() {
      return values.map((value) => value.toString());
    },
    get recognised() {
      return recognised;
    },
    append: (bytes) => {
      const appended = tail.then(() => appendNow(bytes));
      tail = appended.catch(() => {});
      return appended;
    },
    forgetProducers: () => producers.clear(),
  };
}

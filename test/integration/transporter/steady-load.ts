import { kafka } from './transporter-files.ts';

/** What the brokers have acknowledged, and where they put it. */
export interface SentRecord {
  value: string;
  partition: number;
  offset: number;
}

export interface SteadyLoad {
  readonly sent: readonly SentRecord[];
  /** Sends these to partition 0 beside the rest, each as a batch of its own. */
  sendNow(values: readonly string[], timestampMs: number): Promise<void>;
  stop(): Promise<void>;
}

const PAUSE_MS = 100;
const RECORDS = 20;

/**
 * Sends some records to each partition, about ten times a second, until it is stopped; their timestamps are
 * these in turn.
 */
export async function startLoad(
  topic: string,
  partitions: number,
  timestampsMs: readonly number[] = [Date.now()],
): Promise<SteadyLoad> {
  const producer = kafka().producer({ idempotent: true, maxInFlightRequests: 1 });
  await producer.connect();
  const sent: SentRecord[] = [];
  const stop = new AbortController();

  const send = async (partition: number, values: readonly string[], timestamps: readonly number[]) => {
    const messages = values.map((value, i) => ({
      value,
      partition,
      timestamp: String(timestamps[i % timestamps.length]),
    }));
    const [answer] = await producer.send({ topic, messages });
    const baseOffset = Number(answer!.baseOffset);
    values.forEach((value, i) => sent.push({ value, partition, offset: baseOffset + i }));
  };

  const run = async (): Promise<void> => {
    for (let round = 0; !stop.signal.aborted; round += 1) {
      for (let partition = 0; partition < partitions; partition += 1) {
        const values = Array.from(
          { length: RECORDS },
          (_, i) => `${partition} round ${round} no ${i} ${'.'.repeat(i)}`,
        );
        await send(partition, values, timestampsMs);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  };
  const running = run();
  return {
    sent,
    sendNow: async (values, timestampMs) => {
      for (const value of values) await send(0, [value], [timestampMs]);
    },
    stop: async () => {
      stop.abort();
      await running;
      await producer.disconnect();
    },
  };
}

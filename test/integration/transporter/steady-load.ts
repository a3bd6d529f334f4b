import { kafka } from './transporter-files.ts';

export interface SteadyLoad {
  /** Values that the brokers have acknowledged. */
  readonly sent: string[];
  stop(): Promise<void>;
}

const PAUSE_MS = 100;
const RECORDS = 20;

/** Sends some records to each partition, about ten times a second, until it is stopped. */
export async function startLoad(topic: string, partitions: number): Promise<SteadyLoad> {
  const producer = kafka().producer();
  await producer.connect();
  const sent: string[] = [];
  const stop = new AbortController();
  const run = async (): Promise<void> => {
    for (let round = 0; !stop.signal.aborted; round += 1) {
      const messages = Array.from({ length: partitions * RECORDS }, (_, i) => ({
        value: `round ${round} no ${i} ${'.'.repeat(i)}`,
        partition: i % partitions,
      }));
      await producer.send({ topic, messages });
      sent.push(...messages.map(({ value }) => value));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
    await producer.disconnect();
  };
  const running = run();
  return {
    sent,
    stop: () => {
      stop.abort();
      return running;
    },
  };
}

/** The program that peers/kafkajs.ts runs: FILE TOPIC BROKER... */
import { createReadStream } from 'node:fs';
import kafkajs from 'kafkajs';
import { compressFrame, decompressFrame } from 'lz4-napi';

const { CompressionCodecs, CompressionTypes, Kafka, logLevel, Partitioners } = kafkajs;
const CHUNK_BYTES = 1024 * 1024;
/** As many sends as the agent has batches in flight. */
const MAX_IN_FLIGHT = 5;
const NEWLINE = 0x0a;

const [file, topic, ...brokers] = process.argv.slice(2);
if (file === undefined || topic === undefined || brokers.length === 0)
  throw new Error('usage: FILE TOPIC BROKER...');

CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressFrame(encoder.buffer),
  decompress: (buffer: Buffer) => decompressFrame(buffer),
});

const producer = new Kafka({ clientId: 'bench', brokers, logLevel: logLevel.WARN }).producer({
  createPartitioner: Partitioners.DefaultPartitioner,
});
await producer.connect();

const inFlight = new Set<Promise<void>>();
const send = async (messages: { value: Buffer }[]): Promise<void> => {
  await producer.send({ topic, acks: -1, compression: CompressionTypes.LZ4, messages });
};

let rest: Buffer = Buffer.alloc(0);
for await (const piece of createReadStream(file, { highWaterMark: CHUNK_BYTES })) {
  const chunk: Buffer = Buffer.concat([rest, piece]);
  const messages: { value: Buffer }[] = [];
  let start = 0;
  for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
    messages.push({ value: chunk.subarray(start, end) });
    start = end + 1;
  }
  rest = chunk.subarray(start);
  if (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight);
  const sending = send(messages).finally(() => inFlight.delete(sending));
  inFlight.add(sending);
}
await Promise.all(inFlight);
await producer.disconnect();

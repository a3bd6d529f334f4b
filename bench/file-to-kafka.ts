/** The agent against kafkajs's own producer: a file to acknowledged records. */
import { join } from 'node:path';
import type { Bench } from './bench.ts';
import { kafkajsLz4 } from './contenders/kafkajs.ts';
import { skald } from './contenders/skald.ts';
import { fillTopic } from './fill-topic.ts';
import { generateInput, type Input } from './input.ts';
import { cpuPerGb, type Goal, goalLines, type Measured, table, writeReport } from './report.ts';

const CONTENDERS = [skald({ codec: 'zstd' }), skald({ codec: 'lz4' }), kafkajsLz4];
const MB = 1e6;

export const fileToKafka: Bench = {
  needsS3: false,
  run: async ({ bytes, runs, seed, stack, directory, say }) => {
    const measured: Measured[] = CONTENDERS.map(({ name }) => ({ name, runs: [] }));
    const input = await generateInput(join(directory, 'access.log'), bytes, seed);
    say(`input: ${(input.bytes / MB).toFixed(0)} MB, ${input.lines} lines`);
    for (let run = 0; run < runs; run += 1) {
      for (const [i, contender] of CONTENDERS.entries()) {
        const result = await fillTopic(contender, input, `bench-${run}-${i}`, stack.bootstrap);
        measured[i]!.runs.push(result);
        const cost = `${result.cpuSeconds.toFixed(2)} CPU s, ${result.wallSeconds.toFixed(2)} s`;
        say(`run ${run + 1}, ${contender.name}: ${cost}`);
      }
    }
    return writeReport('file-to-kafka', input, measured, goalsOf(measured, input), markdown);
  },
};

function goalsOf(measured: readonly Measured[], input: Input): Goal[] {
  const peer = measured.find(({ name }) => name === kafkajsLz4.name)!;
  return measured
    .filter((one) => one !== peer)
    .map((one) => ({
      text: `CPU per byte of ${one.name} over ${peer.name}`,
      ratio: cpuPerGb(one, input) / cpuPerGb(peer, input),
      bound: 0.2,
    }));
}

function markdown(input: Input, measured: readonly Measured[], goals: readonly Goal[]): string {
  return [
    '# File to Kafka',
    '',
    `One file of ${(input.bytes / MB).toFixed(0)} MB, ${input.lines.toLocaleString('en')} access-log lines, to a topic of six partitions on three`,
    'brokers (acks=all), each contender in a process of its own, start-up included, runs interleaved. CPU is user and system time of',
    'the contender alone. Every run ended with exactly as many records in the topic as the file has lines.',
    '',
    ...table(input, measured),
    '',
    ...goalLines(goals),
    '',
  ].join('\n');
}

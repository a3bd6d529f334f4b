/** The agent and every peer that is installed: a file to records that all replicas have. */
import { join } from 'node:path';
import { bareCompressionPerGb } from './bare-codecs.ts';
import type { Bench } from './bench.ts';
import { type FillResult, fillTopic, PARTITIONS } from './fill-topic.ts';
import { generateInput, type Input } from './input.ts';
import { measurePeer } from './measure-peer.ts';
import { UsageError } from './options.ts';
import { type Peer, type PeerCodec, ZSTD_LEVEL } from './peer.ts';
import { kafkajsProducer } from './peers/kafkajs.ts';
import { kcat } from './peers/kcat.ts';
import { rsyslog } from './peers/rsyslog.ts';
import { skald } from './peers/skald.ts';
import { syslogNg } from './peers/syslog-ng.ts';
import {
  cpuPerGb,
  figuresOf,
  type Goal,
  type Measured,
  median,
  type RunResult,
  thisMachine,
  writeReport,
} from './report.ts';

const PEERS: readonly Peer[] = [skald, kcat, rsyslog, syslogNg, kafkajsProducer];
const DEFAULT_MB = 1000;
const DEFAULT_RUNS = 3;

interface Contestant extends Measured {
  peer: Peer;
  codec: PeerCodec;
  /** A run over a few thousand lines. */
  start: FillResult | undefined;
  runs: RunResult[];
}

export const fileToKafka: Bench = async (options) => {
  const { makeInput, runs = DEFAULT_RUNS, seed, startStack, directory, out, say, show } = options;
  const machine = thisMachine();
  const asked = peersOf(options.only);
  const versions = new Map<Peer, string | undefined>();
  for (const peer of asked) versions.set(peer, await peer.version());
  const there = asked.filter((peer) => versions.get(peer) !== undefined);
  const missing = asked.filter((peer) => versions.get(peer) === undefined).map(({ name }) => name);
  if (missing.length > 0) say(`not installed, so not run: ${missing.join(', ')}`);

  const input = await makeInput(DEFAULT_MB);
  const stack = await startStack({ s3: false });
  const contestants = there.flatMap((peer) =>
    peer.codecs.map((codec): Contestant => {
      return {
        name: `${peer.name}, ${codec}`,
        isOurs: peer === skald,
        peer,
        codec,
        start: undefined,
        runs: [],
      };
    }),
  );
  // The first programs would otherwise pay for brokers that have not compiled their code yet.
  const little = await generateInput(join(directory, 'little.log'), 1, seed);
  for (const [i, one] of contestants.entries()) {
    show(`${one.name}: ${little.lines} lines, for its start`);
    one.start = await fillTopic({
      ...one,
      input: little,
      topic: `bench-start-${i}`,
      bootstrap: stack.bootstrap,
    });
  }
  const bareZstd: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    for (const [i, { name, peer, codec, runs: results }] of contestants.entries()) {
      const onRecords = (records: number): void =>
        show(`run ${run} of ${runs}, ${name}: ${Math.floor((records / input.lines) * 100)} % of the lines`);
      const topic = `bench-${run}-${i}`;
      const result = await measurePeer({ peer, codec, input, topic, onRecords }, stack);
      results.push(result);
      const cost = `${result.cpuSeconds.toFixed(2)} CPU s, ${result.wallSeconds.toFixed(2)} s`;
      say(`run ${run} of ${runs}, ${name}: ${cost}, every line read back`);
    }
    bareZstd.push(await bareCompressionPerGb(input.file, 'zstd', ZSTD_LEVEL));
  }
  const bare = median(bareZstd);
  const starts = contestants.map(({ name, start }) => `${name} ${start!.cpuSeconds.toFixed(2)}`);
  const report = {
    name: 'file-to-kafka',
    title: 'File to Kafka',
    method: method(input, stack.brokers.length),
    input,
    measured: contestants.map(({ name, isOurs, runs: results }) => ({ name, isOurs, runs: results })),
    goals: goalsOf(contestants, bare, input),
    notes: [
      ...there.map((peer) => `- ${peer.name} ${versions.get(peer)}`),
      ...missing.map((name) => `- ${name}: not installed, not run`),
      '',
      `Start-up and ${little.lines.toLocaleString('en')} lines, CPU s, which the figures above include: ${starts.join('; ')}.`,
      '',
      ...withoutStart(contestants, bare, input),
      `zstd ${ZSTD_LEVEL} alone, in memory, a mebibyte at a time: ${bare.toFixed(2)} CPU s per GB.`,
    ],
    figures: { bareZstdCpuSecondsPerGb: bare, versions: versionsOf(versions) },
  };
  return writeReport(report, machine, out);
};

/** Ours, and of the others those that are asked for. */
function peersOf(only: readonly string[] | undefined): readonly Peer[] {
  if (only === undefined) return PEERS;
  const unknown = only.filter((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown.length > 0) throw new UsageError(`--only: there is no program ${unknown.join(', ')}`);
  return PEERS.filter((peer) => peer === skald || only.includes(peer.name));
}

/** A daemon starts once and carries for months, so this is what it comes to in the end. No goal: start-up is part of those. */
function withoutStart(contestants: readonly Contestant[], bareZstd: number, input: Input): string[] {
  const cost = (peer: Peer, codec: PeerCodec): number => {
    const one = contestants.find((other) => other.peer === peer && other.codec === codec);
    return one === undefined
      ? Number.NaN
      : cpuPerGb(one, input) - one.start!.cpuSeconds / (input.bytes / 1e9);
  };
  if (Number.isNaN(cost(kcat, 'zstd'))) return [];
  const overKcat = (['lz4', 'zstd'] as const).map((codec) => {
    return `${(cost(skald, codec) / cost(kcat, codec)).toFixed(2)} with ${codec}`;
  });
  const overBare = (cost(skald, 'zstd') / bareZstd).toFixed(2);
  return [
    `Without start-up, the CPU of the agent over kcat's: ${overKcat.join(', ')}; over the bare compressor's: ${overBare}.`,
    '',
  ];
}

function versionsOf(versions: ReadonlyMap<Peer, string | undefined>): object {
  return Object.fromEntries([...versions].map(([{ name }, version]) => [name, version ?? null]));
}

function goalsOf(contestants: readonly Contestant[], bareZstd: number, input: Input): Goal[] {
  const find = (peer: Peer, codec: PeerCodec): Contestant | undefined =>
    contestants.find((one) => one.peer === peer && one.codec === codec);
  const goals: Goal[] = [];
  for (const codec of ['lz4', 'zstd'] as const) {
    const ours = find(skald, codec)!;
    const bare = find(kcat, codec);
    const others = contestants.filter((one) => one.peer !== skald && one.codec === codec);
    const fastest = Math.max(...others.map((one) => figuresOf(one, input).mbPerSecond));
    goals.push(
      {
        text: `${codec}: CPU of the agent over that of kcat`,
        value: bare && cpuPerGb(ours, input) / cpuPerGb(bare, input),
        bound: 0.4,
        sense: 'at most',
      },
      {
        text: `${codec}: throughput of the agent over that of the fastest other`,
        value: others.length === 0 ? undefined : figuresOf(ours, input).mbPerSecond / fastest,
        bound: codec === 'zstd' ? 2 : 1.5,
        sense: 'at least',
      },
      {
        text: `${codec}: peak memory of the agent, MB`,
        value: figuresOf(ours, input).peakMb,
        bound: 200,
        sense: 'at most',
      },
    );
  }
  const ours = find(skald, 'zstd')!;
  const theirs = contestants.filter((one) => one.peer !== skald && one.codec === 'zstd');
  const smallest = Math.min(...theirs.map((one) => figuresOf(one, input).storedMb));
  const kafkajs = find(kafkajsProducer, 'lz4');
  return [
    ...goals,
    {
      text: `zstd: CPU of the agent, with reading, journal and all, over the bare compressor's`,
      value: cpuPerGb(ours, input) / bareZstd,
      bound: 1.5,
      sense: 'at most',
    },
    {
      text: 'zstd: size of its topic over the smallest of the others',
      value: theirs.length === 0 ? undefined : figuresOf(ours, input).storedMb / smallest,
      bound: 1,
      sense: 'at most',
    },
    {
      text: 'lz4: CPU of the agent over that of kafkajs producer.send',
      value: kafkajs && cpuPerGb(find(skald, 'lz4')!, input) / cpuPerGb(kafkajs, input),
      bound: 0.2,
      sense: 'at most',
    },
  ];
}

function method(input: Input, brokers: number): string {
  return [
    `One file of ${(input.bytes / 1e6).toFixed(0)} MB, ${input.lines.toLocaleString('en')} lines, to a topic of ${PARTITIONS} partitions on ${brokers} broker${brokers === 1 ? '' : 's'}, a replica on each,`,
    `with acks=all, lz4 in its fast mode or zstd ${ZSTD_LEVEL}, and a linger of 200 ms, all on one machine. Each program is a process of its own; start-up`,
    'counts. Runs are interleaved and figures are medians. CPU is user and system time of the program and its children until',
    'the topic held every line; servers are the brokers during that time; stored is one replica. After each run',
    "Apache's console consumer read the whole topic: the same lines as in the file, by count, bytes and sum of checksums.",
  ].join('\n');
}

/** Where the agent's CPU time goes: by thread, by the kernel's account, and by function, by V8's samples. */
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { projectRoot } from '../scripts/stack/project-root.ts';
import type { Bench } from './bench.ts';
import { barChart } from './chart.ts';
import { type FunctionTime, selfTimes } from './cpu-profile.ts';
import { fillTopic } from './fill-topic.ts';
import type { PeerCodec, PeerJob } from './peer.ts';
import { prepareAgent } from './peers/skald.ts';
import { threadTimes, type ThreadTime } from './process-cost.ts';
import { machineLine, thisMachine, writeResults } from './report.ts';

const DEFAULT_MB = 500;
const SHOWN = 25;
/** Profiles are written when the agent ends. */
const GRACE_MS = 60_000;

export const profile: Bench = async ({ makeInput, startStack, directory, out, say, show }) => {
  const machine = thisMachine();
  const input = await makeInput(DEFAULT_MB);
  const { bootstrap } = await startStack({ s3: false });
  const sections: string[] = [];
  const figures: Record<string, object> = {};
  const panels = [];
  for (const codec of ['zstd', 'lz4'] as const satisfies readonly PeerCodec[]) {
    const folder = join(directory, `profiles-${codec}`);
    await mkdir(folder);
    const peer = {
      name: 'skald agent',
      prepare: async (job: PeerJob) => {
        const { command, args } = await prepareAgent(job);
        return { command, args: ['--cpu-prof', `--cpu-prof-dir=${folder}`, ...args] };
      },
    };
    let threads: ThreadTime[] = [];
    const onRecords = (records: number): void =>
      show(`${codec}: ${Math.floor((records / input.lines) * 100)} % of the lines`);
    const onDone = async (pid: number): Promise<void> => {
      threads = await threadTimes(pid);
    };
    const topic = `profile-${codec}`;
    const { cpuSeconds } = await fillTopic({
      peer,
      codec,
      input,
      topic,
      bootstrap,
      onRecords,
      onDone,
      graceMs: GRACE_MS,
    });
    const profiles = await readProfiles(folder);
    say(`${codec}: ${cpuSeconds.toFixed(2)} CPU s, ${profiles.length} threads profiled`);
    const functions = sumUp(profiles);
    figures[codec] = { cpuSeconds, threads, functions: functions.slice(0, SHOWN) };
    sections.push(...sectionOf(codec, cpuSeconds, threads, functions));
    panels.push({
      title: `${codec}: milliseconds in each function itself`,
      bars: functions
        .slice(0, 12)
        .map(({ name, selfMs }) => ({ label: name.split('/').at(-1)!, value: selfMs, isOurs: true })),
    });
  }
  const markdown = [
    "# Where the agent's time goes",
    '',
    `${(input.bytes / 1e6).toFixed(0)} MB of access log to Kafka, start-up included. The first table is the kernel's account of each thread. The second is V8's samples`,
    'of the threads that run JavaScript: time in a function itself, native code that it called included. Threads of libuv, on which zstd',
    'compresses and files are read, are in the first one only. Taking samples costs some of the time.',
    '',
    machineLine(machine),
    '',
    ...sections,
  ].join('\n');
  await writeResults(
    'agent-profile',
    { markdown, json: { machine, bytes: input.bytes, ...figures }, chart: barChart(panels) },
    out,
  );
  return { markdown, isMet: true };
};

async function readProfiles(folder: string): Promise<FunctionTime[][]> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile'));
  if (files.length === 0)
    throw new Error('the agent left no profile: it did not end by itself when it was asked to');
  const root = pathToFileURL(projectRoot()).pathname;
  return Promise.all(
    files.map(async (name) => selfTimes(JSON.parse(await readFile(join(folder, name), 'utf8')), root)),
  );
}

function sumUp(threads: readonly FunctionTime[][]): FunctionTime[] {
  const sums = new Map<string, number>();
  for (const { name, selfMs } of threads.flat()) sums.set(name, (sums.get(name) ?? 0) + selfMs);
  return [...sums].map(([name, selfMs]) => ({ name, selfMs })).toSorted((a, b) => b.selfMs - a.selfMs);
}

function sectionOf(
  codec: PeerCodec,
  cpuSeconds: number,
  threads: readonly ThreadTime[],
  functions: readonly FunctionTime[],
): string[] {
  const sampledMs = functions.reduce((sum, { selfMs }) => sum + selfMs, 0);
  const percent = (part: number, whole: number): string => ((part / whole) * 100).toFixed(1);
  return [
    `## ${codec}: ${cpuSeconds.toFixed(2)} CPU s`,
    '',
    '| threads | CPU s | % |',
    '|---|---|---|',
    ...threads.map(
      ({ name, cpuSeconds: own }) => `| ${name} | ${own.toFixed(2)} | ${percent(own, cpuSeconds)} |`,
    ),
    '',
    '| function | ms | % of the samples |',
    '|---|---|---|',
    ...functions
      .slice(0, SHOWN)
      .map(({ name, selfMs }) => `| ${name} | ${selfMs.toFixed(0)} | ${percent(selfMs, sampledMs)} |`),
    '',
  ];
}

import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  figuresOf,
  type Goal,
  goalLines,
  type Machine,
  type Measured,
  median,
  type Report,
  type RunResult,
  writeReport,
} from '../../../bench/report.ts';
import { tempDir } from '../../support/temp-dir.ts';

const MACHINE: Machine = { cpu: 'a cpu', cores: 2, node: '20.0.0', kafka: '4.1.0', loadAtStart: 0.5 };
const INPUT = { bytes: 500_000_000, lines: 2_000_000 };

const run = (cpuSeconds: number, wallSeconds: number): RunResult => ({
  cpuSeconds,
  wallSeconds,
  peakMemoryBytes: 150_000_000,
  serverCpuSeconds: 1,
  storedBytes: 60_000_000,
  records: INPUT.lines,
});

const OURS: Measured = { name: 'ours', isOurs: true, runs: [run(2, 4), run(1, 2), run(9, 10)] };
const THEIRS: Measured = { name: 'theirs <C>', isOurs: false, runs: [run(4, 5)] };

const goal = (value: number | undefined, sense: Goal['sense'] = 'at most'): Goal => ({
  text: 'ours over theirs',
  value,
  bound: 0.4,
  sense,
});

const report = (goals: readonly Goal[]): Report => ({
  name: 'a-report',
  title: 'A report',
  method: 'How it was done.',
  input: INPUT,
  measured: [OURS, THEIRS],
  goals,
  notes: ['A note.'],
});

describe('medians', () => {
  test.each([
    [[3], 3],
    [[9, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[10, 9, 100], 10],
  ])('of %j is %d', (values, expected) => expect(median(values)).toBe(expected));

  test('each figure is the median of the runs, per GB of 10^9 bytes and in MB of 10^6', () => {
    expect(figuresOf(OURS, INPUT)).toEqual({
      cpuSecondsPerGb: 4,
      mbPerSecond: 125,
      peakMb: 150,
      serverCpuSecondsPerGb: 2,
      storedMb: 60,
    });
  });
});

test('a goal is met up to its bound, in its sense; what was not measured is neither met nor missed', () => {
  const lines = goalLines([
    goal(0.4),
    goal(0.401),
    goal(0.4, 'at least'),
    goal(0.399, 'at least'),
    goal(undefined),
  ]);
  expect(lines.map((line) => /\*\*(.*)\*\*/.exec(line)?.[1])).toEqual([
    'met',
    'NOT met',
    'met',
    'NOT met',
    undefined,
  ]);
  expect(lines.at(-1)).toBe('- ours over theirs: not measured here, at most 0.4 asked');
});

describe('a written report', () => {
  const written = async (goals: readonly Goal[]) => {
    const folder = join(await tempDir(), 'results');
    await mkdir(folder);
    const { isMet } = await writeReport(report(goals), MACHINE, folder);
    const read = (ending: string): Promise<string> => readFile(join(folder, `a-report.${ending}`), 'utf8');
    return { isMet, markdown: await read('md'), json: await read('json'), svg: await read('svg') };
  };

  test('has a row for each program, the machine, the notes and the chart', async () => {
    const { markdown } = await written([goal(0.3)]);
    expect(markdown).toContain('| ours | 4.00 | 125 | 150 | 2.00 | 60.0 | 2.00, 1.00, 9.00 |');
    expect(markdown).toContain('| theirs <C> | 8.00 | 100 | 150 | 2.00 | 60.0 | 4.00 |');
    expect(markdown).toContain('2 cores, a cpu; Kafka 4.1.0, Node 20.0.0; load average at the start 0.5');
    expect(markdown).toContain('A note.');
    expect(markdown).toContain('](a-report.svg)');
  });

  test('has every run in its JSON', async () => {
    const { json } = await written([goal(0.3)]);
    expect(JSON.parse(json)).toMatchObject({
      machine: MACHINE,
      ...INPUT,
      medians: { ours: { cpuSecondsPerGb: 4 } },
      measured: [{ name: 'ours', runs: OURS.runs }, { name: 'theirs <C>' }],
    });
  });

  test('draws bars in proportion, ours in a colour of its own, names as text', async () => {
    const { svg } = await written([goal(0.3)]);
    const bars = [...svg.matchAll(/<rect class="(\w+)" [^>]*width="([\d.]+)"/g)].map(([, kind, width]) => ({
      kind,
      width: Number(width),
    }));
    expect(bars.map(({ kind }) => kind)).toEqual(['ours', 'other', 'ours', 'other', 'ours', 'other']);
    expect(bars[0]!.width / bars[1]!.width).toBeCloseTo(0.5, 2); // 4 and 8 CPU s per GB
    expect(bars[3]!.width / bars[2]!.width).toBeCloseTo(0.8, 2); // 100 and 125 MB/s
    expect(svg).toContain('theirs &lt;C&gt;');
    expect(svg).toContain('prefers-color-scheme: dark');
  });

  test.each([
    ['met', [goal(0.3)], true],
    ['not met', [goal(0.3), goal(0.5)], false],
    ['not measured', [goal(undefined)], true],
  ])('says when its goals are %s', async (_, goals, expected) => {
    expect((await written(goals)).isMet).toBe(expected);
  });
});

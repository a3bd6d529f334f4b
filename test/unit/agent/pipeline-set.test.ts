import { describe, expect, test } from 'vitest';
import type { RunningPipeline } from '../../../agent/pipeline.ts';
import { createPipelineSet } from '../../../agent/pipeline-set.ts';
import type { PipelineConfig } from '../../../shared/config/pipeline-config.ts';
import { pipelineConfig } from '../../simulation/agent/world.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';
import { someStatus } from './some-status.ts';
import { recordedLog } from './recorded-log.ts';

const DRAIN_MS = 30_000;

function config(name: string, topic = 't'): PipelineConfig {
  const base = pipelineConfig();
  return { ...base, name, file: `${name}.yaml`, kafka: { ...base.kafka, topic } };
}

function wish(...configs: PipelineConfig[]): Map<string, PipelineConfig> {
  return new Map(configs.map((one) => [one.name, one]));
}

/** Lets promises that are ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Pipelines that write down what happens to them; topic `hangs` never drains, topic `broken` does not start. */
function setUp() {
  const events: string[] = [];
  const crashes = new Map<string, (error: Error) => void>();
  const clock = simClock(0);
  const { logger, lines: logged } = recordedLog();
  const set = createPipelineSet({
    start: ({ name, kafka: { topic } }) => {
      events.push(`start ${name} ${topic}`);
      if (topic === 'broken') return Promise.reject(new Error('the journal cannot be read'));
      const pipeline: RunningPipeline = {
        status: () => someStatus({ pipeline: name, topic }),
        revision: () => '',
        refreshMetrics: () => undefined,
        close: async (signal) => {
          events.push(`close ${name} ${topic}`);
          if (topic === 'hangs') await new Promise((resolve) => signal.addEventListener('abort', resolve));
          events.push(`closed ${name} ${topic}`);
        },
        done: new Promise((_, reject) => crashes.set(name, reject)),
      };
      return Promise.resolve(pipeline);
    },
    onRemoved: (name) => {
      events.push(`removed ${name}`);
      return Promise.resolve();
    },
    drainMs: DRAIN_MS,
    clock,
    logger,
  });
  const want = async (...configs: PipelineConfig[]): Promise<string[]> => {
    events.length = 0;
    set.want(wish(...configs));
    await settle();
    return [...events];
  };
  return {
    set,
    want,
    events,
    clock,
    logged,
    crash: (name: string, error: Error) => crashes.get(name)?.(error),
  };
}

test('all start again when something has changed that they were started with; none that is not wanted', async () => {
  const { set, want, events } = setUp();
  await want(config('a'), config('b'), config('c'));
  await want(config('a'), config('b'));
  events.length = 0;
  set.startAllAgain();
  await settle();
  expect(events.toSorted()).toEqual([
    'close a t',
    'close b t',
    'closed a t',
    'closed b t',
    'start a t',
    'start b t',
  ]);
  await set.close();
  events.length = 0;
  set.startAllAgain();
  await settle();
  expect(events).toEqual([]);
});

describe('pipelines follow what is wanted', () => {
  test('added, edited and removed, each alone', async () => {
    const { want } = setUp();
    expect(await want(config('a'), config('b'))).toEqual(['start a t', 'start b t']);
    expect(await want(config('a'), config('b'))).toEqual([]);
    expect(await want(config('a', 'u'), config('b'))).toEqual(['close a t', 'closed a t', 'start a u']);
    expect(await want(config('b'))).toEqual(['close a u', 'closed a u', 'removed a']);
    expect(await want()).toEqual(['close b t', 'closed b t', 'removed b']);
  });

  test('one that does not drain holds up nobody else, and is given up when its time is over', async () => {
    const { want, events, clock, logged } = setUp();
    await want(config('slow', 'hangs'), config('b'));
    expect(await want(config('b', 'u'), config('c'))).toEqual([
      'close slow hangs',
      'close b t',
      'closed b t',
      'start c t',
      'start b u',
    ]);
    events.length = 0;
    await clock.advance(DRAIN_MS - 1);
    expect(events).toEqual([]);
    await clock.advance(1);
    await settle();
    expect(events).toEqual(['closed slow hangs', 'removed slow']);
    expect(logged.filter(({ level }) => level === 'warn').map(({ fields }) => fields['pipeline'])).toEqual([
      'slow',
    ]);
  });

  test('put back while it still drains, it starts when its journal is free, with the last settings', async () => {
    const { want, events, clock } = setUp();
    await want(config('a', 'hangs'));
    await want();
    await want(config('a', 'u'));
    expect(await want(config('a', 'v'))).toEqual([]);
    await clock.advance(DRAIN_MS);
    await settle();
    expect(events).toEqual(['closed a hangs', 'start a v']);
  });
});

describe('a pipeline that fails', () => {
  test('to start: the others run, it says why, and another version or a retry starts it again', async () => {
    const { set, want, events, logged } = setUp();
    await want(config('a', 'broken'), config('b'));
    expect(set.all.map(({ name, failed }) => [name, failed])).toEqual([
      ['a', 'the journal cannot be read'],
      ['b', undefined],
    ]);
    expect(logged.filter(({ level }) => level === 'error')).toHaveLength(1);
    events.length = 0;
    expect(set.startFailedAgain()).toEqual(['a']);
    await settle();
    expect(events).toEqual(['start a broken']);
    expect(await want(config('a', 't'), config('b'))).toEqual(['start a t']);
    expect(set.all.map(({ failed }) => failed)).toEqual([undefined, undefined]);
  });

  test('later on: the others go on, and it is stopped before it starts again', async () => {
    const { set, want, events, crash } = setUp();
    await want(config('a'), config('b'));
    crash('a', new Error('a bug'));
    await settle();
    expect(set.all.map(({ failed }) => failed)).toEqual(['a bug', undefined]);
    events.length = 0;
    set.startFailedAgain();
    await settle();
    expect(events).toEqual(['close a t', 'closed a t', 'start a t']);
  });

  test('the end comes when none is left that could go on', async () => {
    const { set, want, crash } = setUp();
    await want(config('a', 'broken'), config('b'));
    crash('b', new Error('a bug'));
    await expect(set.done).rejects.toThrow('a bug');
  });
});

describe('without pipelines, and at the end', () => {
  test('a set without pipelines is not done until it is closed', async () => {
    const { set, want } = setUp();
    let done = false;
    void set.done.then(() => (done = true));
    await want(config('a'));
    await want();
    expect(done).toBe(false);
    await set.close();
    await set.done;
  });

  test('close stops all at the same time, within the time to drain, and starts nothing more', async () => {
    const { set, want, events, clock } = setUp();
    await want(config('a', 'hangs'), config('b', 'hangs'), config('c'));
    await want(config('a', 'u'), config('b', 'hangs'), config('c'));
    events.length = 0;
    const closing = set.close();
    expect(set.close()).toBe(closing);
    await clock.advance(DRAIN_MS);
    await closing;
    expect(events.toSorted()).toEqual([
      'close b hangs',
      'close c t',
      'closed a hangs',
      'closed b hangs',
      'closed c t',
    ]);
    expect(await want(config('d'))).toEqual([]);
  });
});

test('a thousand pipelines: adding one touches no other', async () => {
  const { want } = setUp();
  const many = Array.from({ length: 1000 }, (_, n) => config(`p${n}`));
  await want(...many);
  expect(await want(...many, config('new'))).toEqual(['start new t']);
});

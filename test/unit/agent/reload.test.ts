import { describe, expect, test } from 'vitest';
import { pipelineDifference } from '../../../agent/pipeline-difference.ts';
import { startReloading } from '../../../agent/reload.ts';
import type { PipelineConfig } from '../../../shared/config/pipeline-config.ts';
import type { FolderLook } from '../../../shared/config/pipeline-folder.ts';
import { SkaldError } from '../../../shared/errors.ts';
import { pipelineConfig } from '../../simulation/agent/world.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';
import { recordedLog } from './recorded-log.ts';

const INTERVAL_MS = 5000;
const NOTHING: FolderLook = { pipelines: new Map(), refused: [] };
const ONE: FolderLook = { pipelines: new Map([['sim', pipelineConfig()]]), refused: [] };

function setUp(failed: string[] = []) {
  const looks: string[] = [];
  const refused: number[] = [];
  const clock = simClock(0);
  const { logger, lines } = recordedLog();
  let found = NOTHING;
  let wanted: ReadonlyMap<string, PipelineConfig> = new Map();
  const reloading = startReloading({
    folder: {
      look: (how) => {
        looks.push(how);
        return found;
      },
    },
    set: {
      want: (pipelines) => {
        const difference = pipelineDifference(wanted, pipelines);
        wanted = pipelines;
        return difference;
      },
      startFailedAgain: () => failed,
    },
    intervalMs: INTERVAL_MS,
    onRefused: (files) => void refused.push(files),
    clock,
    logger,
  });
  return {
    reloading,
    looks,
    refused,
    clock,
    lines,
    wanted: () => [...wanted.keys()],
    find: (look: FolderLook) => (found = look),
  };
}

describe('the folder is looked at', () => {
  test('at once, then patiently after each interval, until it is closed', async () => {
    const { reloading, looks, clock, wanted, find } = setUp();
    expect(looks).toEqual(['now']);
    await clock.advance(INTERVAL_MS - 1);
    expect(looks).toEqual(['now']);
    find(ONE);
    await clock.advance(1);
    expect(looks).toEqual(['now', 'settled']);
    expect(wanted()).toEqual(['sim']);
    await clock.advance(INTERVAL_MS);
    expect(looks).toEqual(['now', 'settled', 'settled']);
    await reloading.close();
    await clock.advance(3 * INTERVAL_MS);
    expect(looks).toHaveLength(3);
  });

  test('at once on request, which is answered also when there is nothing to do', () => {
    const { reloading, looks, wanted, find, lines } = setUp();
    find(ONE);
    reloading.now();
    expect(wanted()).toEqual(['sim']);
    reloading.now();
    expect(looks).toEqual(['now', 'now', 'now']);
    expect(lines.map(({ level, fields }) => ({ level, ...fields }))).toEqual([
      { level: 'info', starting: ['sim'], replacing: [], stopping: [] },
      { level: 'info' },
    ]);
  });

  test('and on request those that failed are tried again', () => {
    const { reloading, lines } = setUp(['a']);
    reloading.now();
    expect(lines[0]?.fields).toEqual({ pipelines: ['a'] });
  });
});

test('a refused file is counted at each look and told once, with the pipeline that goes on', async () => {
  const { refused, clock, find, lines } = setUp();
  const error = new SkaldError('CONFIG_INVALID', '/etc/skald/pipelines/sim.yaml:2:1: no');
  find({ ...ONE, refused: [{ error, isNew: true, kept: 'sim' }] });
  await clock.advance(INTERVAL_MS);
  find({ ...ONE, refused: [{ error, isNew: false, kept: 'sim' }] });
  await clock.advance(INTERVAL_MS);
  expect(refused).toEqual([0, 1, 1]);
  const errors = lines.filter(({ level }) => level === 'error');
  expect(errors.map(({ fields }) => fields)).toEqual([{ pipeline: 'sim', err: error }]);
});

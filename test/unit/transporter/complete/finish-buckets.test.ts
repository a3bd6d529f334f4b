import { describe, expect, it } from 'vitest';
import { finishBuckets, isBucketOver } from '../../../../transporter/complete/finish-buckets.ts';
import { workerConfig } from '../../../simulation/transporter/world.ts';

const NOON = Date.parse('2026-07-31T12:00:00Z');
const HOUR = 3_600_000;
const config = workerConfig(() => 0.5).topics[0]!;

/** What is finished and marked on the way from `marked` to `through`; the store has these folders. */
async function finish(
  { marked, through }: { marked: number | undefined; through: number },
  overrides: Partial<typeof config> = {},
  folders: Record<string, string[]> = {},
  failAt = '',
) {
  const events: string[] = [];
  const lists: string[] = [];
  const done = finishBuckets({
    config: { ...config, ...overrides },
    marked,
    through,
    finish: ({ label }) => {
      if (label === failAt) return Promise.reject(new Error('the store is away'));
      events.push(label);
      return Promise.resolve();
    },
    onMarked: (ms) => events.push(`marked ${new Date(ms).toISOString().slice(0, 16)}`),
    list: (folder) => {
      lists.push(folder);
      return Promise.resolve({ objects: [], folders: folders[folder] ?? [] });
    },
    signal: new AbortController().signal,
  });
  const error = await done.catch((thrown: unknown) => String(thrown));
  return { events, lists, error };
}

describe('finishing time buckets', () => {
  it('goes from what is marked to what is complete, bucket by bucket, whether anything is in them or not', async () => {
    const { events, lists } = await finish({ marked: NOON, through: NOON + 2 * HOUR + 1 });
    expect(events).toEqual([
      '2026-07-31T12:00',
      'marked 2026-07-31T13:00',
      '2026-07-31T13:00',
      'marked 2026-07-31T14:00',
    ]);
    expect(lists).toEqual([]);
  });

  it('leaves a bucket alone until the last millisecond of it is complete', async () => {
    expect((await finish({ marked: NOON, through: NOON + HOUR - 1 })).events).toEqual([]);
    expect(isBucketOver(config, NOON, NOON + HOUR - 1)).toBe(false);
    expect(isBucketOver(config, NOON, NOON + HOUR)).toBe(true);
  });

  it('stops at the first that cannot be finished, and has marked those before', async () => {
    const run = await finish({ marked: NOON, through: NOON + 3 * HOUR }, {}, {}, '2026-07-31T13:00');
    expect(run.events).toEqual(['2026-07-31T12:00', 'marked 2026-07-31T13:00']);
    expect(run.error).toContain('the store is away');
  });

  it('looks in the store when the group has just begun: what it found in the log may be of any time', async () => {
    const { events, lists } = await finish(
      { marked: 0, through: NOON + 1 },
      {},
      {
        'logs/logs/': ['dt=2026-07-31', 'dt=1970-01-01', 'dt=2025-01-01', 'tmp', 'dt=9999-12-30'],
        'logs/logs/dt=2026-07-31/': ['hr=12', 'hr=11', 'hr=x'],
        'logs/logs/dt=2025-01-01/': ['hr=03'],
        'logs/logs/dt=1970-01-01/': ['hr=00'],
        'logs/logs/dt=9999-12-30/': ['hr=00'],
      },
    );
    expect(events).toEqual(['2025-01-01T03:00', '2026-07-31T11:00', 'marked 2026-07-31T12:00']);
    expect(lists).toHaveLength(5);
  });

  it('begins now, without a look, where the version before wrote the offsets: years may be in the store', async () => {
    const { events, lists } = await finish({ marked: undefined, through: NOON + 1 });
    expect({ events, lists }).toEqual({ events: ['marked 2026-07-31T12:00'], lists: [] });
  });

  it('marks what it does not finish, where no _SUCCESS is wanted', async () => {
    const { events } = await finish({ marked: NOON, through: NOON + HOUR }, { success: false });
    expect(events).toEqual(['marked 2026-07-31T13:00']);
  });

  it('finishes a bucket that the clock shows twice once, at its second end', async () => {
    // Clocks of Berlin go back from 3:00 to 2:00 at 1:00 UTC.
    const marked = Date.parse('2026-10-25T00:00:00Z');
    const { events } = await finish({ marked, through: marked + 2 * HOUR }, { timeZone: 'Europe/Berlin' });
    expect(events).toEqual(['marked 2026-10-25T01:00', '2026-10-25T02:00', 'marked 2026-10-25T02:00']);
  });
});

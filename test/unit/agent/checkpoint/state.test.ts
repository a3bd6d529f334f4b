import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Entry } from '../../../../agent/checkpoint/entries.ts';
import { apply, type CheckpointState, emptyState, snapshot } from '../../../../agent/checkpoint/state.ts';
import { someIntent } from '../publish/some-intent.ts';
import { someFileState } from '../some-file-state.ts';
import { historyOf, steps } from './some-history.ts';

function fold(entries: readonly Entry[]): CheckpointState {
  const state = emptyState('p', 't');
  for (const entry of entries) apply(state, structuredClone(entry));
  return state;
}

const FILE: Entry = { t: 'file', ...someFileState() };

const range = (start: number, end: number, skipRest = false) => ({
  file: 'fd-1-1',
  start,
  end,
  terminated: !skipRest,
  skipRest,
  crc32c: 0,
});

describe('the state is a fold over the entries', () => {
  test('an intent moves its files on, opens itself and takes the sequences of its records', () => {
    const state = fold([
      FILE,
      { t: 'producer', producerId: 7000n, producerEpoch: 0 },
      {
        t: 'intent',
        ...someIntent({ n: 4, partition: 2, baseSequence: 5, records: 3, ranges: [range(0, 90)] }),
      },
    ]);
    expect(state.files.get('fd-1-1')).toMatchObject({ offset: 90, skipping: false });
    expect(state.sequences).toEqual(new Map([[2, 8]]));
    expect([...state.open.keys()]).toEqual([4]);
    expect(state.nextIntent).toBe(5);
  });

  test('a commit closes its intent and nothing else; one for an intent that is closed already changes nothing', () => {
    const state = fold([
      FILE,
      { t: 'intent', ...someIntent({ n: 1, ranges: [range(0, 10)] }) },
      { t: 'intent', ...someIntent({ n: 2, ranges: [range(10, 20)] }) },
      { t: 'commit', n: 1, offset: 0 },
      { t: 'commit', n: 1, offset: 0 },
    ]);
    expect([...state.open.keys()]).toEqual([2]);
    expect(state.files.get('fd-1-1')!.offset).toBe(20);
  });

  test('a replacement that covers less than what was read meanwhile does not move the file back', () => {
    const state = fold([
      FILE,
      { t: 'intent', ...someIntent({ n: 1, ranges: [range(0, 100)] }) },
      { t: 'intent', ...someIntent({ n: 2, ranges: [range(100, 200)] }) },
      {
        t: 'replace',
        dropped: [1],
        by: [someIntent({ n: 3, ranges: [range(0, 50)] }), someIntent({ n: 4, ranges: [range(50, 100)] })],
        why: 'too-large',
      },
    ]);
    expect(state.files.get('fd-1-1')!.offset).toBe(200);
    expect([...state.open.keys()]).toEqual([2, 3, 4]);
  });

  test('the rest of a truncated line is passed over until a skip reaches its end', () => {
    const entries: Entry[] = [FILE, { t: 'intent', ...someIntent({ ranges: [range(0, 100, true)] }) }];
    expect(fold(entries).files.get('fd-1-1')).toMatchObject({ offset: 100, skipping: true });
    entries.push({ t: 'skip', id: 'fd-1-1', to: 160, skipping: false });
    expect(fold(entries).files.get('fd-1-1')).toMatchObject({ offset: 160, skipping: false });
  });

  test('a new producer begins at sequence 0 in every partition; open intents keep the old one', () => {
    const state = fold([
      FILE,
      { t: 'producer', producerId: 7000n, producerEpoch: 0 },
      { t: 'intent', ...someIntent({ partition: 3, records: 10, ranges: [range(0, 10)] }) },
      { t: 'producer', producerId: 7001n, producerEpoch: 0 },
    ]);
    expect(state.sequences.size).toBe(0);
    expect(state.open.get(1)!.producerId).toBe(7000n);
  });

  test('entries about a forgotten file change nothing', () => {
    const state = fold([
      FILE,
      { t: 'forget', id: 'fd-1-1' },
      { t: 'move', id: 'fd-1-1', path: '/x' },
      { t: 'skip', id: 'fd-1-1', to: 5, skipping: true },
      { t: 'fingerprint', id: 'fd-1-1', fingerprint: { bytes: 1, hash: 'x' } },
      { t: 'intent', ...someIntent({ ranges: [range(0, 10)] }) },
    ]);
    expect(state.files.size).toBe(0);
    expect(state.open.size).toBe(1);
  });

  test('numbers are never used twice: a counter only moves forward', () => {
    const state = fold([
      { t: 'counters', file: 9, intent: 12 },
      { t: 'counters', file: 3, intent: 0 },
      { t: 'intent', ...someIntent({ n: 5 }) },
    ]);
    expect([state.nextFile, state.nextIntent]).toEqual([9, 12]);
  });

  test('sequences wrap from 2^31-1 to 0, across a snapshot too', () => {
    const state = fold([
      { t: 'producer', producerId: 7000n, producerEpoch: 0 },
      { t: 'intent', ...someIntent({ baseSequence: 2 ** 31 - 3, records: 5 }) },
    ]);
    expect(state.sequences.get(0)).toBe(2);
    expect(fold(snapshot(state)).sequences.get(0)).toBe(2);
  });
});

describe('a snapshot', () => {
  test('gives the same state again, whatever happened before', () => {
    fc.assert(
      fc.property(steps, (history) => {
        const state = fold(historyOf(history));
        expect(fold(snapshot(state))).toEqual(state);
      }),
      { numRuns: 500 },
    );
  });

  test('and the history goes on from it as from the original', () => {
    fc.assert(
      fc.property(steps, fc.nat(100), (history, cut) => {
        const entries = historyOf(history);
        const at = cut % (entries.length + 1);
        expect(fold([...snapshot(fold(entries.slice(0, at))), ...entries.slice(at)])).toEqual(fold(entries));
      }),
      { numRuns: 500 },
    );
  });

  test('damaged anywhere, its part before the damage sends the lines of open batches, or has them read again', () => {
    const state = fold([
      FILE,
      { t: 'intent', ...someIntent({ n: 1, ranges: [range(0, 10)] }) },
      { t: 'intent', ...someIntent({ n: 2, ranges: [range(10, 20)] }) },
      { t: 'intent', ...someIntent({ n: 3, ranges: [range(20, 30)] }) },
      { t: 'commit', n: 1, offset: 0 },
      { t: 'commit', n: 3, offset: 2 },
    ]);
    const entries = snapshot(state);
    const lengths = Array.from({ length: entries.length + 1 }, (_, kept) => kept);
    const losing = lengths.filter((kept) => {
      const left = fold(entries.slice(0, kept));
      return !left.open.has(2) && (left.files.get('fd-1-1')?.offset ?? 0) > 10;
    });
    expect(losing).toEqual([]);
    expect(fold(entries)).toEqual(state);
  });
});

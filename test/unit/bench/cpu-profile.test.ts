import { expect, test } from 'vitest';
import { selfTimes } from '../../../bench/cpu-profile.ts';

const node = (id: number, functionName: string, url = '', lineNumber = -1) => ({
  id,
  callFrame: { functionName, url, lineNumber, scriptId: '0', columnNumber: 0 },
});

test('time goes to the function that ran, over all its callers, without what waited', () => {
  const file = 'file:///home/me/skald/dist/shared/wire/crc32c.js';
  const profile = {
    nodes: [
      node(1, '(root)'),
      node(2, 'crc32c', file, 4),
      node(3, 'crc32c', file, 4), // called from somewhere else
      node(4, '(idle)'),
      node(5, 'atomicsWaitLoop', 'file:///home/me/skald/node_modules/piscina/dist/worker.js', 125),
      node(6, '', 'file:///home/me/skald/node_modules/zod/core.js', 9),
    ],
    samples: [2, 4, 3, 5, 6, 2],
    timeDeltas: [1000, 50_000, 2000, 60_000, 4000, 500],
  };
  expect(selfTimes(profile, '/home/me/skald')).toEqual([
    { name: 'anonymous zod/core.js:10', selfMs: 4 },
    { name: 'crc32c shared/wire/crc32c.js:5', selfMs: 3.5 },
  ]);
});

test('what is no profile is refused', () => {
  expect(() => selfTimes({ nodes: [] }, '/')).toThrow(/samples/);
});

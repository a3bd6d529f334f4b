import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { createMemoryBudget } from '../../../transporter/memory-budget.ts';
import { createDataLimit, limitProcessMemory, thisProcess } from '../../../transporter/process-memory.ts';
import { simClock } from '../../simulation/support/sim-clock.ts';

const MIB = 1024 ** 2;
const limits = { memoryBytes: 512 * MIB, baseBytes: 200 * MIB };
/** A tenth stays free between two looks. */
const USABLE = 512 * MIB * 0.9;

/** A process of which the test says what it takes. */
function fakeProcess(rssBytes: number) {
  return {
    rss: rssBytes,
    buffers: 0,
    collections: 0,
    memory() {
      return {
        rssBytes: () => this.rss,
        bufferBytes: () => this.buffers,
        collectGarbage: () => {
          this.collections += 1;
          this.rss -= this.buffers;
          this.buffers = 0;
        },
      };
    },
  };
}

describe('createDataLimit', () => {
  it('counts on what a worker takes beside data before it takes it', () => {
    const young = fakeProcess(60 * MIB);
    expect(createDataLimit(limits, young.memory())(0)).toBeCloseTo(USABLE - 200 * MIB, -1);
  });

  it('gives data what the rest of the process leaves, at once when it takes more, slowly when it takes less', () => {
    const busy = fakeProcess(400 * MIB);
    const limit = createDataLimit(limits, busy.memory());
    expect(limit(100 * MIB)).toBeCloseTo(USABLE - 300 * MIB, -1);
    busy.rss = 300 * MIB;
    const next = limit(100 * MIB);
    expect(next).toBeGreaterThan(USABLE - 300 * MIB);
    expect(next).toBeLessThan(USABLE - 290 * MIB);
    for (let looks = 0; looks < 5000; looks += 1) limit(100 * MIB);
    expect(limit(100 * MIB)).toBeCloseTo(USABLE - 200 * MIB, -1);
  });

  it('leaves an eighth to data whatever the process takes: it must go on', () => {
    const huge = fakeProcess(2000 * MIB);
    expect(createDataLimit(limits, huge.memory())(0)).toBe(64 * MIB);
  });

  it('collects garbage near the limit, when it is garbage that brought it there', () => {
    const full = fakeProcess(450 * MIB);
    full.buffers = 150 * MIB;
    const limit = createDataLimit(limits, full.memory());
    expect(limit(50 * MIB)).toBeCloseTo(USABLE - 250 * MIB, -1);
    expect(full.collections).toBe(1);
    full.rss = 450 * MIB;
    full.buffers = 60 * MIB;
    limit(50 * MIB);
    expect(full.collections).toBe(1);
  });

  it('does not collect again for what is no garbage, such as answers that are on their way', () => {
    const full = fakeProcess(450 * MIB);
    const inUse = 40 * MIB;
    full.buffers = inUse;
    const memory = {
      ...full.memory(),
      collectGarbage: () => {
        full.collections += 1;
        full.buffers = inUse;
      },
    };
    const limit = createDataLimit(limits, memory);
    for (let looks = 0; looks < 10; looks += 1) limit(0);
    expect(full.collections).toBe(1);
    full.buffers = inUse + 20 * MIB;
    limit(0);
    expect(full.collections).toBe(2);
    full.buffers = 0;
    limit(0);
    full.buffers = 20 * MIB;
    limit(0);
    expect(full.collections).toBe(3);
  });

  it('lets garbage be while there is room', () => {
    const roomy = fakeProcess(300 * MIB);
    roomy.buffers = 150 * MIB;
    createDataLimit(limits, roomy.memory())(0);
    expect(roomy.collections).toBe(0);
  });
});

it('limitProcessMemory limits the budget by what is there, not by what is promised, until it is told to stop', async () => {
  const clock = simClock(0);
  const stop = new AbortController();
  let freed = 0;
  const budget = createMemoryBudget(512 * MIB, () => {
    freed += 1;
  });
  const account = budget.open();
  account.add(50 * MIB);
  account.promise(70 * MIB);
  const grown = fakeProcess(300 * MIB);
  const done = limitProcessMemory(budget, limits, { memory: grown.memory(), clock, signal: stop.signal });
  expect(budget.limitBytes).toBeCloseTo(USABLE - 250 * MIB, -1);
  grown.rss = 250 * MIB;
  await clock.advance(60_000);
  expect(budget.limitBytes).toBeGreaterThan(USABLE - 202 * MIB);
  expect(freed).toBeGreaterThan(0);
  stop.abort();
  await done;
});

describe('thisProcess', () => {
  it('counts buffers that threads gave away, until they are collected', async () => {
    const memory = thisProcess();
    memory.collectGarbage();
    const before = memory.bufferBytes();
    const thread = new Worker(
      `const { parentPort } = require('node:worker_threads');
       const bytes = new Uint8Array(${64 * MIB}).fill(1);
       parentPort.postMessage(bytes, [bytes.buffer]);`,
      { eval: true },
    );
    await once(thread, 'message');
    expect(memory.bufferBytes() - before).toBeGreaterThan(60 * MIB);
    await once(thread, 'exit');
    await expect
      .poll(() => {
        memory.collectGarbage();
        return memory.bufferBytes() - before;
      })
      .toBeLessThan(8 * MIB);
  });
});

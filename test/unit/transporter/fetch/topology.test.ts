import { afterEach, describe, expect, it } from 'vitest';
import { SkaldError } from '../../../../shared/errors.ts';
import type { ClusterView } from '../../../../shared/kafka/cluster.ts';
import { silentLogger } from '../../../../shared/telemetry/logger.ts';
import { repeatedLog } from '../../../../shared/telemetry/repeated-log.ts';
import { watchTopology } from '../../../../transporter/fetch/topology.ts';
import { simClock } from '../../../simulation/support/sim-clock.ts';

let stop = new AbortController();

afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

function stage() {
  const clock = simClock(0);
  const state = { asked: [] as number[], isDown: false, views: 0 };
  const view: ClusterView = { clusterId: 'c', controllerId: 1, brokers: new Map(), topics: new Map() };
  const topology = watchTopology({
    ask: () => {
      state.asked.push(clock.monotonicMs());
      return state.isDown
        ? Promise.reject(new SkaldError('KAFKA_UNREACHABLE', 'down'))
        : Promise.resolve(view);
    },
    maxAgeMs: () => 60_000,
    clock,
    random: () => 0.999,
    problems: repeatedLog({ logger: silentLogger, clock, intervalMs: 1000 }),
    signal: stop.signal,
    onView: () => {
      state.views += 1;
    },
  });
  return { clock, state, topology };
}

describe('watchTopology', () => {
  it('asks at once, and then whenever what it knows is old', async () => {
    const { clock, state, topology } = stage();
    expect(topology.view).toBeUndefined();
    await clock.advance(150_000);
    expect(state.asked).toEqual([0, 60_000, 120_000]);
    expect(topology.view).toBeDefined();
    expect(state.views).toBe(3);
  });

  it('asks soon when someone found it wrong, however many do', async () => {
    const { clock, state, topology } = stage();
    await clock.advance(10_000);
    for (let i = 0; i < 100; i += 1) topology.refresh();
    await clock.advance(1000);
    expect(state.asked).toHaveLength(2);
    expect(state.asked[1]).toBeLessThanOrEqual(10_100);
  });

  it('asks more and more rarely for a leader that stays away', async () => {
    const { clock, state, topology } = stage();
    for (let second = 0; second < 600; second += 1) {
      topology.refresh();
      await clock.advance(1000);
    }
    expect(state.asked.length).toBeLessThan(150);
    expect(state.asked.length).toBeGreaterThan(100);
  });

  it('goes on asking while no broker answers, and ends with the signal', async () => {
    const { clock, state, topology } = stage();
    state.isDown = true;
    await clock.advance(60_000);
    state.isDown = false;
    await clock.advance(10_000);
    expect(state.views).toBeGreaterThanOrEqual(2);
    stop.abort();
    await topology.done;
    const { length } = state.asked;
    await clock.advance(600_000);
    expect(state.asked).toHaveLength(length);
  });
});

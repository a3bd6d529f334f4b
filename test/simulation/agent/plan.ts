/**
 * What a seed switches on. Each seed draws a random subset of habits and troubles with random rates, because faults that
 * are always on hide each other ("swarm testing", Groce et al., ISSTA 2012).
 */
import type { FsyncPolicy } from '../../../agent/checkpoint/journal.ts';
import type { Random } from '../../../shared/clock.ts';
import { between } from '../support/random.ts';
import { HABITS, TRUNCATING_HABITS } from './habits.ts';
import { DAMAGE, TROUBLES, WITH_FSYNC_ALWAYS } from './troubles.ts';

/**
 * By which model a seed is judged. `exactly-once`: each line once, and in order. `truncation`: the same, less what was
 * truncated before it could be read, which must have been counted as far as it was seen. `at-least-once`: after damage
 * that takes the means for more away, no line is missing.
 */
export type Family = 'exactly-once' | 'truncation' | 'at-least-once';

export interface Plan {
  seed: number;
  family: Family;
  fsync: FsyncPolicy['fsync'];
  habits: string[];
  troubles: string[];
  /** How long the applications write, in virtual milliseconds. */
  lengthMs: number;
  /** How many times slower than a busy host everything is: scans, polls, writes, faults. */
  pace: number;
  /** Long lines, NULs and invalid UTF-8 among the lines. */
  oddLines: boolean;
  /** Calls of the file system take time, so that applications act between any two of them. */
  slowFiles: boolean;
}

function some(names: readonly string[], share: number, random: Random): string[] {
  return names.filter(() => random() < share);
}

function one(names: readonly string[], random: Random): string {
  return names[Math.floor(random() * names.length)]!;
}

/** What an agent can know of truncated bytes that it could not read is not modelled. */
function troublesOf(family: Family): string[] {
  return Object.keys(TROUBLES).filter((name) => family !== 'truncation' || name !== 'failingFiles');
}

export function drawPlan(seed: number, family: Family, random: Random): Plan {
  const habits = Object.keys(HABITS);
  const truncating = family === 'truncation' ? [one(TRUNCATING_HABITS, random)] : [];
  const calm = habits.filter((name) => !TRUNCATING_HABITS.includes(name));
  const share = 0.1 + random() * 0.5;
  const chosen = [...truncating, ...Array.from({ length: between(random, 1, 3) }, () => one(calm, random))];
  const fsync = random() < 0.3 ? 'always' : random() < 0.7 ? 'interval' : 'never';
  const troubles = [
    ...some(troublesOf(family), share, random),
    ...(fsync === 'always' ? some(WITH_FSYNC_ALWAYS, 0.5, random) : []),
    ...(family === 'at-least-once' ? [one(Object.keys(DAMAGE), random)] : []),
  ];
  return {
    seed,
    family,
    fsync,
    habits: chosen,
    troubles,
    lengthMs: between(random, 2_000, 8_000),
    pace: random() < 0.9 ? 1 : between(random, 10, 1000),
    // Under a lowered limit of the topic long lines are cut elsewhere, which the judge does not follow.
    oddLines: random() < 0.3 && !troubles.includes('movingLimit'),
    slowFiles: random() < 0.4,
  };
}

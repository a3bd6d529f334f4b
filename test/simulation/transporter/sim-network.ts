import type { Random } from '../../../shared/clock.ts';
import { SkaldError } from '../../../shared/errors.ts';
import { between } from '../support/random.ts';
import type { SimClock } from '../support/sim-clock.ts';
import type { WorkerLife } from './worker-life.ts';

/** What goes wrong, as shares of all calls; the calls that change something have five times these shares. */
export interface Faults {
  /** The request never arrives; the caller learns of it as a time-out. */
  lostRequests: number;
  /** The effect happens, and its answer is lost. */
  lostAnswers: number;
  /** The worker is killed with the request on its way, or before it went out. */
  kills: number;
  freezes: number;
  /** The request takes so long that others have taken over by the time it arrives. */
  stragglers: number;
}

export const NO_FAULTS: Faults = { lostRequests: 0, lostAnswers: 0, kills: 0, freezes: 0, stragglers: 0 };

/**
 * Sees every call just before its request leaves and just after its effect; may kill or freeze the caller.
 */
export type Spy = (life: WorkerLife, name: string, moment: 'before' | 'after') => void;

export interface SimNetwork {
  faults: Faults;
  /** How often each fault happened. */
  readonly happened: Faults;
  spy: Spy;
  call<T>(life: WorkerLife, name: string, effect: () => T): Promise<T>;
}

const TIMEOUT_MS = 2000;

export function simNetwork({ clock, random }: { clock: SimClock; random: Random }): SimNetwork {
  const network: SimNetwork = {
    faults: { ...NO_FAULTS },
    happened: { ...NO_FAULTS },
    spy: () => {},
    call: (life, name, effect) => life.through(travel(life, name, effect)),
  };

  const happens = (fault: keyof Faults, name: string): boolean => {
    const weight = name === 'commit' || name === 'put' ? 5 : 1;
    if (random() >= network.faults[fault] * weight) return false;
    network.happened[fault] += 1;
    return true;
  };

  const travel = async <T>(life: WorkerLife, name: string, effect: () => T): Promise<T> => {
    network.spy(life, name, 'before');
    if (life.isDead) return never();
    const isStraggler = happens('stragglers', name);
    const isRequestLost = happens('lostRequests', name);
    const isAnswerLost = happens('lostAnswers', name);
    if (happens('kills', name)) life.kill();
    if (happens('freezes', name)) life.freeze(clock.monotonicMs());
    if (isRequestLost) {
      await clock.after(TIMEOUT_MS);
      throw new SkaldError('KAFKA_TIMEOUT', `${name}: the request was lost`);
    }
    await clock.after(isStraggler ? between(random, 5_000, 120_000) : between(random, 1, 30));
    const result = effect();
    network.spy(life, name, 'after');
    await clock.after(between(random, 1, 30));
    if (isAnswerLost) throw new SkaldError('KAFKA_DISCONNECTED', `${name}: the answer was lost`);
    return result;
  };

  return network;
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}

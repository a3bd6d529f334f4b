import { setTimeout as delay } from 'node:timers/promises';
import type { Figures } from './figures.ts';
import { formatCount } from './format.ts';
import type { SkaldProcess } from './skald-process.ts';

/** Long enough to be seen, and for lines to pile up meanwhile. */
const DOWN_MS = 1000;

export interface Chaos {
  /** Call it with each look at the figures: it may be time for a kill. */
  consider(figures: Figures): void;
  /** True when everything was killed that should be, and is ready again. */
  readonly isOver: boolean;
}

export const NO_CHAOS: Chaos = { consider: () => {}, isOver: true };

export interface ChaosOptions {
  lines: number;
  agent: SkaldProcess;
  worker: SkaldProcess;
  say: (text: string) => void;
  onFailure: (error: unknown) => void;
  signal: AbortSignal;
}

/** Kills the agent when a third of the lines is in Kafka, and the worker at two thirds; both come back after a second. */
export function planChaos({ lines, agent, worker, say, onFailure, signal }: ChaosOptions): Chaos {
  const victims = [
    { process: agent, atLines: Math.ceil(lines / 3) },
    { process: worker, atLines: Math.ceil((2 * lines) / 3) },
  ];
  let running: Promise<void> | undefined;
  let left = victims.length;

  const killAndRestart = async (victim: SkaldProcess, lines: number): Promise<void> => {
    const killed = `${victim.name} (process ${victim.pid})`;
    await victim.kill();
    say(`chaos: SIGKILL to ${killed} with ${formatCount(lines)} lines in Kafka`);
    await delay(DOWN_MS, undefined, { signal });
    await victim.start(signal);
    say(`chaos: ${victim.name} is back (process ${victim.pid})`);
    left -= 1;
  };

  return {
    consider({ linesInKafka }) {
      const [next] = victims;
      if (running !== undefined || next === undefined || linesInKafka < next.atLines) return;
      victims.shift();
      running = killAndRestart(next.process, linesInKafka)
        .catch(onFailure)
        .finally(() => {
          running = undefined;
        });
    },
    get isOver() {
      return left === 0;
    },
  };
}

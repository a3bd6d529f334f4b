import { availableParallelism, hostname } from 'node:os';

/** What configuration takes from the machine when a file does not say it; injected where a test needs to own it. */
export interface Machine {
  readonly hostname: string;
  readonly cores: number;
}

export function thisMachine(): Machine {
  return { hostname: hostname(), cores: availableParallelism() };
}

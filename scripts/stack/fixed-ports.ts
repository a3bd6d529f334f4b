import type { StackPorts } from './stack.ts';

/** Where the background stack listens; docs/local-stack.md says the same. `offset` moves all of it. */
export function fixedPorts(offset = 0): StackPorts {
  return {
    brokers: [19092, 29092, 39092].map((port) => port + offset),
    controllers: [19093, 29093, 39093].map((port) => port + offset),
    s3: 9000 + offset,
  };
}

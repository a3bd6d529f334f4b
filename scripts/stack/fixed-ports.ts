import type { StackPorts } from './stack.ts';

/** Where the background stack listens; docs/local-stack.md and docker-compose.yml say the same. */
export const STACK_PORTS: StackPorts = {
  brokers: [19092, 29092, 39092],
  controllers: [19093, 29093, 39093],
  s3: 9000,
};

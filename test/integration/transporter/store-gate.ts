import { reply, type S3FaultProxy, type S3Operation } from '../../support/s3-fault-proxy.ts';

/** A request of a worker that waits in front of the store. */
export interface HeldRequest {
  readonly url: string;
  /** Lets the store do it; the answer waits until `open`. */
  perform(): Promise<void>;
  readonly isPerformed: boolean;
}

/**
 * Holds requests for objects with records in front of the store, one by one, so that a worker is at a certain step for sure.
 * Markers go through.
 */
export interface StoreGate {
  readonly held: readonly HeldRequest[];
  /** Everything that is held goes through, and whatever comes later. */
  open(): void;
}

export function closeGate(proxy: S3FaultProxy, operation: S3Operation): StoreGate {
  const held: HeldRequest[] = [];
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  const lift = proxy.strike({
    name: 'held',
    operation,
    matches: ({ url }) => !/\/_[^/]*$/.test(url),
    fault: async ({ request, pass, response }) => {
      let answer: ReturnType<typeof pass> | undefined;
      let isPerformed = false;
      held.push({
        url: request.url,
        perform: async () => {
          await (answer ??= pass());
          isPerformed = true;
        },
        get isPerformed() {
          return isPerformed;
        },
      });
      await opened;
      reply(response, await (answer ?? pass()));
    },
  });
  return {
    held,
    open: () => {
      lift();
      open();
    },
  };
}

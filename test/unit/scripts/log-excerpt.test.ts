import { expect, test } from 'vitest';
import { logExcerpt } from '../../../scripts/stack/log-excerpt.ts';

const shutdown = Array.from({ length: 40 }, (_, index) => `2026-01-01 [main] INFO stopping part ${index}`);

test('the reason is shown although an orderly shutdown follows it', () => {
  const reason = '2026-01-01 [main] ERROR kafka.server.BrokerServer - Fatal error during startup';
  const cause = 'Caused by: java.net.BindException: Address already in use';

  const excerpt = logExcerpt(['INFO starting', reason, cause, ...shutdown, ''].join('\n'));

  expect(excerpt.slice(0, 2)).toEqual([reason, cause]);
  expect(excerpt.at(-1)).toBe(shutdown.at(-1));
  expect(excerpt).not.toContain('INFO starting');
});

test('a log without complaints is shown by its end, a short one whole', () => {
  expect(logExcerpt(shutdown.join('\n')).at(-1)).toBe(shutdown.at(-1));
  expect(logExcerpt(shutdown.join('\n')).length).toBeLessThan(shutdown.length);
  expect(logExcerpt('one\ntwo\n')).toEqual(['one', 'two']);
});

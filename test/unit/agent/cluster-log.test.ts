import { expect, test } from 'vitest';
import { withClusterLog } from '../../../agent/cluster-log.ts';
import { SkaldError } from '../../../shared/errors.ts';
import { repeatedLog } from '../../../shared/telemetry/repeated-log.ts';
import { recordedLog } from './recorded-log.ts';

test('a thousand pipelines of a cluster that is away say so once, and each says what is its own', () => {
  const { logger, lines } = recordedLog();
  const options = { logger, clock: { monotonicMs: () => 0 }, intervalMs: 60_000 };
  const cluster = repeatedLog(options);
  for (let n = 0; n < 1_000; n += 1) {
    const log = withClusterLog(repeatedLog(options), cluster, `p${n}`);
    const err = new SkaldError('KAFKA_UNREACHABLE', 'Cannot connect to k:9092');
    log.warn('metadata KAFKA_UNREACHABLE', { err, topic: `t${n}` }, 'cannot read the metadata of the topic');
    if (n % 500 === 0) {
      const missing = new SkaldError('KAFKA_TOPIC_MISSING', `Topic t${n} cannot be used`);
      log.warn('metadata KAFKA_TOPIC_MISSING', { err: missing }, 'cannot read the metadata of the topic');
    }
  }
  cluster.flush();
  expect(lines.map(({ fields }) => [fields['pipeline'], fields['repeated']])).toEqual([
    ['p0', undefined],
    [undefined, undefined],
    [undefined, undefined],
    ['p999', 999],
  ]);
});

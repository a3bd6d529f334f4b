import { type ErrorCode, isSkaldError } from '../shared/errors.ts';
import type { LogFields } from '../shared/telemetry/logger.ts';
import type { RepeatedLog } from '../shared/telemetry/repeated-log.ts';

/** What is wrong with a connection is wrong for all pipelines that send to the cluster. */
const CLUSTER_CODES: readonly ErrorCode[] = [
  'KAFKA_UNREACHABLE',
  'KAFKA_DISCONNECTED',
  'KAFKA_TIMEOUT',
  'KAFKA_TLS',
  'KAFKA_AUTHENTICATION',
];

/**
 * A pipeline's log, where problems of the cluster go to the log that all of its pipelines share: a thousand pipelines
 * without brokers say so once, with the name of one of them, and count it together.
 */
export function withClusterLog(own: RepeatedLog, cluster: RepeatedLog, pipeline: string): RepeatedLog {
  const write = (level: 'warn' | 'error', problem: string, fields: LogFields, message: string): void => {
    const { err } = fields;
    if (isSkaldError(err) && CLUSTER_CODES.includes(err.code)) {
      cluster[level](problem, { pipeline, ...fields }, message);
    } else own[level](problem, fields, message);
  };
  return {
    warn: (problem, fields, message) => write('warn', problem, fields, message),
    error: (problem, fields, message) => write('error', problem, fields, message),
    flush: () => own.flush(),
  };
}

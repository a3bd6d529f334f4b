import { loadTransporterConfig } from '../shared/config/load-transporter-config.ts';
import { isSkaldError } from '../shared/errors.ts';
import { createLogger } from '../shared/telemetry/logger.ts';
import type { TopicStanding } from '../transporter/complete/topic-standing.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { progressJson, progressLines } from './progress-text.ts';
import type { Terminal } from './terminal.ts';

export interface ProgressOptions {
  json: boolean;
  /** Every partition, and not only the slowest. */
  all: boolean;
}

/**
 * `skald transporter progress`: for each topic the time up to which the store has everything, and what holds it
 * back. From the committed offsets of the group and the ends of the logs alone, so no worker need run.
 */
export async function showTransporterProgress(
  file: string,
  options: ProgressOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  let config: ReturnType<typeof loadTransporterConfig>;
  try {
    config = loadTransporterConfig(file, terminal.env);
  } catch (error) {
    return complain(error, EXIT.usage, terminal);
  }
  // Loaded here, so that the other commands start without the client of Kafka.
  const { openCluster } = await import('../shared/kafka/cluster.ts');
  const { coordinatorOf } = await import('../shared/kafka/coordinator.ts');
  const { topicStanding } = await import('../transporter/complete/topic-standing.ts');
  const cluster = openCluster(config.cluster, { logger: createLogger({ level: config.log.level }) });
  const standings: TopicStanding[] = [];
  let exitCode: ExitCode = EXIT.ok;
  try {
    const coordinator = coordinatorOf(cluster, config.group);
    for (const { topic } of config.topics) {
      try {
        standings.push(await topicStanding(topic, { cluster, coordinator }));
      } catch (error) {
        if (!isSkaldError(error, 'KAFKA_TOPIC_MISSING')) throw error;
        exitCode = complain(error, EXIT.error, terminal); // the others are worth showing all the same
      }
    }
  } catch (error) {
    return complain(error, EXIT.error, terminal);
  } finally {
    await cluster.close();
  }
  if (options.json) terminal.print(progressJson(config.group, standings));
  else {
    const nowMs = Date.now();
    const parts = standings.map((standing) =>
      progressLines(standing, { nowMs, all: options.all }).join('\n'),
    );
    terminal.print(parts.join('\n\n'));
  }
  return exitCode;
}

function complain(error: unknown, exitCode: ExitCode, terminal: Terminal): ExitCode {
  if (!isSkaldError(error)) throw error;
  terminal.complain(error.message);
  return exitCode;
}

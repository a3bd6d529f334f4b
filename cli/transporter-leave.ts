import { loadTransporterConfig } from '../shared/config/load-transporter-config.ts';
import { isSkaldError } from '../shared/errors.ts';
import { createLogger } from '../shared/telemetry/logger.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/**
 * `skald transporter leave`: takes a worker that is gone for good out of its group, so that the others have its
 * partitions at once. A worker that runs all the same joins again.
 */
export async function leaveTransporterGroup(
  file: string,
  options: { member?: string | undefined },
  terminal: Terminal,
): Promise<ExitCode> {
  try {
    const config = loadTransporterConfig(file, terminal.env);
    const { group } = config;
    const member = options.member ?? config.member;
    // Loaded here, so that the other commands start without the client of Kafka.
    const { openCluster } = await import('../shared/kafka/cluster.ts');
    const { coordinatorOf } = await import('../shared/kafka/coordinator.ts');
    const { leaveGroup } = await import('../shared/kafka/leave-group.ts');
    const cluster = openCluster(config.cluster, {
      logger: createLogger({ level: config.log.level }),
      random: Math.random,
    });
    try {
      const leaving = { groupId: group, memberId: '', groupInstanceId: member };
      await leaveGroup(coordinatorOf(cluster, group), leaving);
    } finally {
      await cluster.close();
    }
    terminal.print(`${member} has left group ${group}; the others have its partitions now`);
    return EXIT.ok;
  } catch (error) {
    if (!isSkaldError(error)) throw error;
    terminal.complain(error.message);
    return EXIT.error;
  }
}

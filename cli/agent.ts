import { systemClock } from '../shared/clock.ts';
import { isSkaldError } from '../shared/errors.ts';
import { loadAgentConfig } from '../shared/config/load-agent-config.ts';
import { loadPipelines } from '../shared/config/load-pipelines.ts';
import { createLogger } from '../shared/telemetry/logger.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import type { Terminal } from './terminal.ts';

/**
 * `skald agent`: carries the files of this host to Kafka until a signal. A pipeline file that is invalid is reported and
 * left out; without any that is valid nothing is started.
 */
export async function runAgent(file: string, terminal: Terminal): Promise<ExitCode> {
  try {
    const config = loadAgentConfig(file, terminal.env);
    const { pipelines, errors } = loadPipelines(config.pipelinesDir, config, terminal.env);
    for (const error of errors) terminal.complain(error.message);
    if (pipelines.length === 0) {
      terminal.complain(`no valid pipeline in ${config.pipelinesDir}: there is nothing to carry`);
      return EXIT.usage;
    }
    const logger = createLogger({ level: config.log.level });
    // Loaded here, so that the other commands start without the Kafka client.
    const { startAgent } = await import('../agent/agent.ts');
    return await runUntilStopped({
      start: () => startAgent({ config, pipelines, logger }),
      shutdownTimeoutMs: config.shutdownTimeoutMs,
      logger,
      clock: systemClock,
      signals: process,
    });
  } catch (error) {
    if (!isSkaldError(error)) throw error;
    terminal.complain(error.message);
    return EXIT.usage;
  }
}

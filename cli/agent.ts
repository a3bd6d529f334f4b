import { resolve } from 'node:path';
import type { RunningAgent } from '../agent/agent.ts';
import { systemClock } from '../shared/clock.ts';
import { readConfigText } from '../shared/config/config-text.ts';
import type { Environment } from '../shared/config/interpolate.ts';
import { isSkaldError } from '../shared/errors.ts';
import { loadAgentConfig } from '../shared/config/load-agent-config.ts';
import { withRack } from '../shared/config/with-rack.ts';
import { createLogger, type Logger } from '../shared/telemetry/logger.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import { serviceManager } from './service-manager.ts';
import type { Terminal } from './terminal.ts';

/**
 * `skald agent`: carries the files of this host to Kafka until a signal. Pipeline files may come, change and go meanwhile,
 * and SIGHUP takes them over at once; one that is invalid is reported and left out.
 */
export async function runAgent(file: string, terminal: Terminal): Promise<ExitCode> {
  try {
    const text = readConfigText(resolve(file));
    const config = loadAgentConfig(file, terminal.env);
    const logger = createLogger({ level: config.log.level });
    // Loaded here, so that the other commands start without the Kafka client.
    const { startAgent } = await import('../agent/agent.ts');
    return await runUntilStopped({
      start: async () => {
        const agent = await startAgent({
          config: await withRack(config, { logger }),
          env: terminal.env,
          logger,
        });
        return underServiceManager(agent, terminal.env, logger);
      },
      onHangUp: (agent: RunningAgent) => {
        if (hostFileText(file) !== text) sayHostFileChanged(resolve(file), logger);
        agent.reload();
      },
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

/** The agent, with systemd told of its start, its life and its end, where that wants to know. */
function underServiceManager(agent: RunningAgent, env: Environment, logger: Logger): RunningAgent {
  const { pid } = process;
  const manager = serviceManager({ env, pid, wedged: () => agent.wedged(), clock: systemClock, logger });
  manager.ready();
  const close = async (): Promise<void> => {
    manager.stopping();
    try {
      await agent.close();
    } finally {
      await manager.close();
    }
  };
  return { ...agent, close };
}

/** Undefined when it cannot be read now, which is a change too. */
function hostFileText(file: string): string | undefined {
  try {
    return readConfigText(resolve(file));
  } catch (error) {
    if (!isSkaldError(error)) throw error;
    return undefined;
  }
}

function sayHostFileChanged(file: string, logger: Logger): void {
  logger.warn(
    { file },
    'the host file has changed; only pipelines are taken over without a restart: check it with `skald check-config agent` and restart',
  );
}

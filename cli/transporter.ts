import { systemClock } from '../shared/clock.ts';
import { markAtOnce } from '../shared/collect-garbage.ts';
import { loadTransporterConfig } from '../shared/config/load-transporter-config.ts';
import { withRack } from '../shared/config/with-rack.ts';
import { isSkaldError } from '../shared/errors.ts';
import { createLogger } from '../shared/telemetry/logger.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { runUntilStopped } from './run-until-stopped.ts';
import type { Terminal } from './terminal.ts';

/** `skald transporter`: carries topics from Kafka to the store until a signal, as one worker of its group. */
export async function runTransporter(file: string, terminal: Terminal): Promise<ExitCode> {
  markAtOnce();
  try {
    const config = loadTransporterConfig(file, terminal.env);
    const logger = createLogger({ level: config.log.level });
    // The SDK's version is pinned and supports this Node; its announcement of later ones is no news to an operator.
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';
    // Loaded here, so that the other commands start without the clients of Kafka and S3.
    const { startTransporter } = await import('../transporter/transporter.ts');
    return await runUntilStopped({
      start: async () => startTransporter({ config: await withRack(config, { logger }), logger }),
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

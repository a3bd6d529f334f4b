import { z } from 'zod';
import { loadAgentConfig } from '../shared/config/load-agent-config.ts';
import type { StatusConfig } from '../shared/config/process-config.ts';
import { isSkaldError, messageOf } from '../shared/errors.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import type { Terminal } from './terminal.ts';

/** What this command shows of an agent's `/status`; the rest is for other readers. */
const statusSchema = z.object({
  host: z.string(),
  rack: z.string().optional(),
  pipelines: z.array(
    z.object({
      pipeline: z.string(),
      topic: z.string(),
      ready: z.boolean(),
      lagBytes: z.number(),
      inFlightBatches: z.number(),
      files: z.array(
        z.object({ path: z.string(), sizeBytes: z.number(), readBytes: z.number(), detached: z.boolean() }),
      ),
    }),
  ),
});

type AgentStatus = z.output<typeof statusSchema>;

const ANSWER_TIMEOUT_MS = 5000;

/** `skald agent status`: asks the agent that runs with this host file how far each of its files is. */
export async function showAgentStatus(file: string, json: boolean, terminal: Terminal): Promise<ExitCode> {
  try {
    const { status } = loadAgentConfig(file, terminal.env);
    if (status === false) {
      terminal.complain('this agent has no status server: its file says status: false');
      return EXIT.error;
    }
    const text = await ask(`${baseUrl(status)}/status`);
    const lines = json ? [text.trimEnd()] : describe(statusSchema.parse(JSON.parse(text)));
    for (const line of lines) terminal.print(line);
    return EXIT.ok;
  } catch (error) {
    terminal.complain(
      isSkaldError(error) ? error.message : `no answer that could be read: ${messageOf(error)}`,
    );
    return isSkaldError(error) ? EXIT.usage : EXIT.error;
  }
}

async function ask(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) }).catch(
    (error: unknown) => {
      throw new Error(`no agent answers at ${url}; is it running?`, { cause: error });
    },
  );
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return await response.text();
}

/** An address that means every interface is reached over loopback. */
function baseUrl({ host, port }: Exclude<StatusConfig, false>): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function describe({ host, rack, pipelines }: AgentStatus): string[] {
  return [`host ${host}, rack ${rack ?? 'unknown'}`, ...pipelines.flatMap(describePipeline)];
}

/** The files that are furthest behind come first. */
function describePipeline({
  pipeline,
  topic,
  ready,
  lagBytes,
  inFlightBatches,
  files,
}: AgentStatus['pipelines'][number]) {
  const state = ready ? '' : ', waits for the topic';
  return [
    `pipeline ${pipeline} to ${topic}: ${lagBytes} bytes behind, ${inFlightBatches} batches in flight${state}`,
    ...files
      .map((file) => ({ ...file, lag: file.sizeBytes - file.readBytes }))
      .sort((a, b) => b.lag - a.lag)
      .map(({ path, lag, sizeBytes, detached }) => {
        const read = `${lag} of ${sizeBytes} bytes not read`;
        return `  ${path}: ${read}${detached ? ', rotated away' : ''}`;
      }),
  ];
}

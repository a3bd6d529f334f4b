import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLocked } from '../agent/state-lock.ts';
import { STATUS_FILE } from '../agent/status-file.ts';
import { loadAgentConfig } from '../shared/config/load-agent-config.ts';
import type { StatusConfig } from '../shared/config/process-config.ts';
import { errnoOf, isSkaldError, messageOf } from '../shared/errors.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { ago, type Status, statusLines, statusSchema } from './status-text.ts';
import type { Terminal } from './terminal.ts';

export interface AgentStatusOptions {
  json: boolean;
  /** Every file, also those that are acknowledged to their end. */
  all: boolean;
}

interface Answer {
  text: string;
  /** Where it was read, when the agent itself did not answer. */
  file?: string;
}

const ANSWER_TIMEOUT_MS = 5000;

/**
 * `skald agent status`: how far the agent with this host file is with each of its files. Asks its status server; where
 * that is off or does not answer, what the agent has written to `stateDir` last, and how old that is.
 */
export async function showAgentStatus(
  hostFile: string,
  options: AgentStatusOptions,
  terminal: Terminal,
): Promise<ExitCode> {
  try {
    const { status: server, statusFile, stateDir } = loadAgentConfig(hostFile, terminal.env);
    const file = statusFile ? join(stateDir, STATUS_FILE) : undefined;
    const answer = await readStatus(server, file);
    if (options.json) {
      terminal.print(answer.text.trimEnd());
      return EXIT.ok;
    }
    const status = statusSchema.parse(JSON.parse(answer.text));
    const nowMs = Date.now();
    const runs = answer.file === undefined || (status.running === true && (await isLocked(stateDir)));
    if (answer.file !== undefined) terminal.print(originOf(answer.file, status, runs, nowMs));
    for (const line of statusLines(status, { nowMs, all: options.all })) terminal.print(line);
    return runs ? EXIT.ok : EXIT.error;
  } catch (error) {
    terminal.complain(
      isSkaldError(error) ? error.message : `no answer that could be read: ${messageOf(error)}`,
    );
    return isSkaldError(error) ? EXIT.usage : EXIT.error;
  }
}

function originOf(file: string, { writtenAt }: Status, runs: boolean, nowMs: number): string {
  const age = writtenAt === undefined ? 'at some time' : ago(writtenAt, nowMs);
  // A file that nothing has changed in for long is old; that alone does not mean that the agent is gone.
  return runs
    ? `the agent runs; from ${file}, written ${age}, when something changed last`
    : `THE AGENT DOES NOT RUN; from ${file}, which it wrote ${age}`;
}

async function readStatus(server: StatusConfig, file: string | undefined): Promise<Answer> {
  if (server === false) {
    if (file === undefined) {
      throw new Error(
        'this agent has neither a status server nor a status file: its file says both are false',
      );
    }
    return readStatusFile(file, 'its host file says status: false');
  }
  try {
    return { text: await ask(`${baseUrl(server)}/status`) };
  } catch (error) {
    if (file === undefined) throw error;
    return readStatusFile(file, messageOf(error));
  }
}

async function readStatusFile(file: string, whyNotTheServer: string): Promise<Answer> {
  try {
    return { text: await readFile(file, 'utf8'), file };
  } catch (error) {
    const reason = errnoOf(error) === 'ENOENT' ? 'is not there' : `cannot be read: ${messageOf(error)}`;
    throw new Error(`${whyNotTheServer}, and ${file} ${reason}`, { cause: error });
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

import { spawn } from 'node:child_process';
import { SetupError } from './steps.mjs';
import { ROOT } from './paths.mjs';

/** npm says what is wrong first and then explains its options; Maven and apt-get say it last. */
const HEAD_LINES = 10;
const TAIL_LINES = 20;
const running = new Set();

/** Ends the commands in progress; they could otherwise go on writing after an interrupted setup. */
export function killRunningCommands() {
  for (const child of running) child.kill('SIGTERM');
}

/**
 * Runs a command and returns its output, stdout and stderr together.
 * Throws a SetupError that quotes the output when it fails, cannot be started, or exceeds `timeoutMs`.
 */
export async function runCommand(command, args, { timeoutMs, env = process.env, cwd = ROOT }) {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGTERM');
  }, timeoutMs);
  try {
    const { output, problem } = await finish(child);
    if (problem === undefined) return output;
    const reason = timedOut ? `not done after ${timeoutMs / 1000} s` : problem;
    throw new SetupError([`${[command, ...args].join(' ')}: ${reason}`, ...excerpt(output)].join('\n'));
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}

function finish(child) {
  const chunks = [];
  child.stdout.on('data', (chunk) => chunks.push(chunk));
  child.stderr.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    const settle = (problem) => resolve({ output: Buffer.concat(chunks).toString(), problem });
    child.once('error', (error) => settle(error.code === 'ENOENT' ? 'not found' : error.message));
    child.once('close', (code, signal) => {
      if (code === 0) settle(undefined);
      else settle(signal === null ? `exit code ${code}` : `ended by ${signal}`);
    });
  });
}

function excerpt(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  if (lines.length <= HEAD_LINES + TAIL_LINES) return lines;
  return [...lines.slice(0, HEAD_LINES), '…', ...lines.slice(-TAIL_LINES)];
}

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { projectRoot } from '../../../scripts/stack/project-root.ts';
import { parseAgentConfig } from '../../../shared/config/load-agent-config.ts';
import { hasTool } from '../../support/command-line-tools.ts';
import { tempDir } from '../../support/temp-dir.ts';

const UNITS = ['skald-agent.service', 'skald-transporter.service'];
/** cli/run-until-stopped.ts ends the process this long after its own bound. */
const STOP_GRACE_MS = 5000;
/** systemd-analyze's own words: up to 2 of 10 is "OK", 10 is no protection at all. */
const MAX_EXPOSURE = 20;

/** `security --offline` came with systemd 251. */
const JUDGES = hasTool('systemd-analyze') && systemdAnalyze('--help').output.includes('--offline');

function textOf(unit: string): string {
  return readFileSync(join(projectRoot(), 'config', 'systemd', unit), 'utf8');
}

/** All values of a key, in their order; systemd joins or overrides them. */
function valuesOf(unit: string, key: string): string[] {
  return [...textOf(unit).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');
}

function systemdAnalyze(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('systemd-analyze', args, {
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, output: stdout + stderr };
}

describe.each(UNITS)('%s', (unit) => {
  test('leaves more time to stop than the program takes', () => {
    const { shutdownTimeoutMs } = parseAgentConfig('/a.yaml', 'clusters: {main: {brokers: [k:9092]}}\n', {});
    const [seconds] = valuesOf(unit, 'TimeoutStopSec').map((value) => Number(/^(\d+)s$/.exec(value)?.[1]));
    expect(seconds! * 1000).toBeGreaterThan(shutdownTimeoutMs + STOP_GRACE_MS);
    expect(valuesOf(unit, 'KillSignal')).toEqual(['SIGTERM']);
  });

  test('runs the command of its name with the file of the documentation, and never as root', () => {
    const command = unit.replace('skald-', '').replace('.service', '');
    expect(valuesOf(unit, 'ExecStart')).toEqual([
      `/usr/local/bin/skald ${command} -c /etc/skald/${command}.yaml`,
    ]);
    expect(valuesOf(unit, 'User')).toEqual(['skald']);
    expect(valuesOf(unit, 'Restart')).toEqual(['always']);
    expect(valuesOf(unit, 'MemoryDenyWriteExecute')).toEqual([]);
  });

  test.skipIf(!hasTool('systemd-analyze'))('is a unit that systemd takes without a word', async () => {
    const copy = join(await tempDir(), unit);
    // Skald itself is not installed where tests run, and verify looks whether the program is there.
    writeFileSync(copy, textOf(unit).replace('/usr/local/bin/skald', process.execPath));
    expect(systemdAnalyze('verify', '--man=no', copy)).toEqual({ status: 0, output: '' });
  });

  test.skipIf(!JUDGES)('is exposed little, by the measure of systemd', () => {
    const path = join(projectRoot(), 'config', 'systemd', unit);
    const { status, output } = systemdAnalyze(
      'security',
      '--offline=true',
      '--no-pager',
      `--threshold=${MAX_EXPOSURE}`,
      path,
    );
    expect({ status, output: status === 0 ? '' : output }).toEqual({ status: 0, output: '' });
  });
});

test('the agent speaks for itself through processes of its own, and has minutes before it counts as hung', () => {
  expect(valuesOf('skald-agent.service', 'Type')).toEqual(['notify']);
  expect(valuesOf('skald-agent.service', 'NotifyAccess')).toEqual(['all']);
  expect(valuesOf('skald-agent.service', 'WatchdogSec')).toEqual(['5min']);
});

test('the agent reloads by SIGHUP and keeps its journal in the default stateDir', () => {
  const { stateDir } = parseAgentConfig('/a.yaml', 'clusters: {main: {brokers: [k:9092]}}\n', {});
  expect(valuesOf('skald-agent.service', 'ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
  expect(valuesOf('skald-agent.service', 'StateDirectory').map((name) => `/var/lib/${name}`)).toEqual([
    stateDir,
  ]);
});

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import {
  fittingOpenFiles,
  openFilesOfProcess,
  parseDescriptorLimit,
} from '../../../agent/descriptor-limit.ts';
import { recordedLog } from './recorded-log.ts';

const limitsOf = (soft: number): string =>
  `Limit                     Soft Limit           Hard Limit           Units\n` +
  `Max processes             100                  100                  processes\n` +
  `Max open files            ${String(soft).padEnd(21)}524288               files\n`;

test.skipIf(process.platform !== 'linux')('the limit is the one that the shell says', () => {
  const script = 'ulimit -Hn 3000; ulimit -Sn 2000; ulimit -Sn; cat /proc/self/limits';
  const output = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
  expect(parseDescriptorLimit(output)).toBe(2_000);
  expect(output.startsWith('2000\n')).toBe(true);
});

test('where nothing can be read of it, nothing is made of it', () => {
  const { logger, lines } = recordedLog();
  expect(openFilesOfProcess(4_096, logger, () => '')).toBe(4_096);
  expect(lines).toEqual([]);
});

test('a limit with room for what is wanted', () => {
  const { logger, lines } = recordedLog();
  expect(openFilesOfProcess(4_096, logger, () => limitsOf(65_536))).toBe(4_096);
  expect(lines).toEqual([]);
});

test('a lower limit: log files leave room for journals and connections, and the log says what to do', () => {
  const { logger, lines } = recordedLog();
  expect(openFilesOfProcess(4_096, logger, () => limitsOf(1_024))).toBe(512);
  expect(lines).toMatchObject([
    { level: 'warn', fields: { maxOpenFiles: 4_096, processLimit: 1_024, used: 512 } },
  ]);
  expect(lines[0]!.message).toContain('LimitNOFILE');
});

test.each([
  [256, 64],
  [16, 16],
  [600, 150],
])('of a very low limit of %i some are for log files: %i', (limit, files) => {
  expect(fittingOpenFiles(4_096, limit)).toBe(files);
});

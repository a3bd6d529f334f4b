import { ERROR_CATALOGUE } from '../../shared/errors.ts';
import { markdownTable } from './markdown-table.ts';

export function errorReference(): string {
  const rows = Object.entries(ERROR_CATALOGUE).map(([code, { retryable, means, action }]) => [
    `\`${code}\``,
    retryable ? 'yes' : 'no',
    means,
    action,
  ]);
  return markdownTable(['Code', 'Tried again', 'What it means', 'What to do'], rows);
}

import { isSkaldError } from '../../../shared/errors.ts';

/** The lines of the CONFIG_INVALID that a loader throws: one for each problem. Anything else is thrown on. */
export function messagesOf(load: () => unknown): string[] {
  try {
    load();
  } catch (error) {
    if (!isSkaldError(error, 'CONFIG_INVALID')) throw error;
    return error.message
      .split('\n')
      .flatMap((line, index, lines) => (index === 0 && lines.length > 1 ? [] : [line.trim()]));
  }
  throw new Error('expected CONFIG_INVALID, and nothing was wrong');
}

import type { FileState } from '../../../agent/checkpoint/entries.ts';

/** A file of which nothing was read yet. */
export function someFileState(changes: Partial<FileState> = {}): FileState {
  return {
    id: 'fd-1-1',
    key: 'fd-1',
    path: '/logs/app.log',
    fingerprint: { bytes: 0, hash: '' },
    offset: 0,
    skipping: false,
    ...changes,
  };
}

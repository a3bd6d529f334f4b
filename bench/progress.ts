export interface Progress {
  /** A line that stays. */
  say: (line: string) => void;
  /** A line that the next one takes the place of; nothing where nobody looks. */
  show: (line: string) => void;
}

const CLEAR_LINE = '\r\u001b[K';
const SHOW_EVERY_MS = 200;

export function progressOn(stream: Pick<NodeJS.WriteStream, 'write'> & { isTTY?: boolean }): Progress {
  const isSeen = stream.isTTY ?? false;
  let shownMs = 0;
  return {
    say: (line) => void stream.write(`${isSeen ? CLEAR_LINE : ''}${line}\n`),
    show: (line) => {
      const nowMs = performance.now();
      if (!isSeen || (line !== '' && nowMs - shownMs < SHOW_EVERY_MS)) return;
      shownMs = nowMs;
      stream.write(`${CLEAR_LINE}${line}`);
    },
  };
}

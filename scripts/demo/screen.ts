/** The part of a tty.WriteStream that is used; a test gives its own. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** What is happening now: a block for a terminal, one line for a file or a pipe. */
export interface Live {
  block: readonly string[];
  line: string;
}

export interface Screen {
  /** Text that stays. */
  print(text: string): void;
  /** Shows the present state in place of what the last call showed; without a terminal, at most every two seconds. */
  show(live: Live): void;
  /** The block stays as it is; the next one begins below it. */
  settle(): void;
  /** The block goes away. */
  clear(): void;
}

const PLAIN_INTERVAL_MS = 2000;
const DEFAULT_COLUMNS = 80;

export function createScreen(output: Output, nowMs: () => number = () => performance.now()): Screen {
  let shown: readonly string[] = [];
  let printedAtMs = nowMs();

  /** ECMA-48: CSI n A goes n lines up, CSI J erases to the end of the screen. */
  const erase = (): string => (shown.length === 0 ? '' : `\u001b[${shown.length}A\u001b[J`);

  /** A line that wraps would count as one and take two. A terminal that does not know its width says 0. */
  const fit = (line: string): string => {
    const { columns = 0 } = output;
    return line.slice(0, (columns > 0 ? columns : DEFAULT_COLUMNS) - 1);
  };

  return {
    print(text) {
      const below = shown.map((line) => `${line}\n`).join('');
      output.write(`${erase()}${text}\n${below}`);
    },
    show({ block, line }) {
      if (output.isTTY) {
        const lines = block.map(fit);
        output.write(`${erase()}${lines.map((text) => `${text}\n`).join('')}`);
        shown = lines;
      } else if (nowMs() - printedAtMs >= PLAIN_INTERVAL_MS) {
        printedAtMs = nowMs();
        output.write(`${line}\n`);
      }
    },
    settle() {
      shown = [];
      printedAtMs = nowMs();
    },
    clear() {
      output.write(erase());
      shown = [];
    },
  };
}

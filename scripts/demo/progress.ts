import type { Figures } from './figures.ts';
import {
  formatBytes,
  formatCount,
  formatPercent,
  formatRate,
  formatRatio,
  formatSeconds,
  formatTable,
} from './format.ts';
import type { Live } from './screen.ts';

const RATE_WINDOW_MS = 3000;

/** Turns figures into what a terminal shows; remembers those of the last seconds, for rates. */
export function createProgress(): (figures: Figures) => Live {
  const recent: Figures[] = [];
  return (figures) => {
    recent.push(figures);
    while (recent.length > 2 && figures.elapsedMs - recent[1]!.elapsedMs >= RATE_WINDOW_MS) recent.shift();
    return describe(figures, recent[0]!);
  };
}

function describe(now: Figures, before: Figures): Live {
  const { written, linesInKafka, linesInS3 } = now;
  const lineBytes = written.lines > 0 ? written.bytes / written.lines : 0;
  const seconds = (now.elapsedMs - before.elapsedMs) / 1000;
  const row = (label: string, lines: number, linesBefore: number): string[] => [
    label,
    `${formatCount(lines)} lines`,
    formatBytes(Math.round(lines * lineBytes)),
    seconds > 0 ? formatRate(((lines - linesBefore) * lineBytes) / seconds) : '-',
  ];
  const compression = formatRatio(now.rawBytes, now.batchBytes);
  const crossRack = formatPercent(now.crossRackBytes, now.clientBytes);
  const openLag = Math.max(0, written.lines - linesInS3);
  const table = formatTable([
    row('written', written.lines, before.written.lines),
    row('in Kafka', linesInKafka, before.linesInKafka),
    row('in S3', linesInS3, before.linesInS3),
    row('open lag', openLag, openLag).slice(0, 3),
  ]);
  return {
    block: [
      ...table.map((line) => `  ${line}`),
      `  compressed ${compression}   crossed racks ${crossRack}   after ${formatSeconds(now.elapsedMs)}`,
    ],
    line:
      `${formatSeconds(now.elapsedMs).padStart(7)}  written ${formatCount(written.lines)}  in Kafka ${formatCount(linesInKafka)}` +
      `  in S3 ${formatCount(linesInS3)}  ${row('', linesInS3, before.linesInS3)[3]!} to S3` +
      `  compressed ${compression}  crossed racks ${crossRack}  open lag ${formatCount(openLag)}`,
  };
}

import { compress } from '../../shared/codec/compress.ts';
import { growScratch, putBackScratch, takeScratch } from './scratch.ts';
import type { DecodeLayout } from './decode-range.ts';
import type { RecordFormat } from './record-format.ts';

const FIRST_BYTES = 64 * 1024;
const LINE_FEED = 0x0a;

/** Format `lines` record by record, for times that are inside of the records; format-lines.ts is the fast way. */
export function linesFormat({ codec, level }: DecodeLayout): RecordFormat {
  return {
    refusalOf: () => undefined,
    openBucket: () => {
      let out = takeScratch(FIRST_BYTES);
      let at = 0;
      return {
        write: ({ section, valueStart, valueEnd }) => {
          const size = valueEnd - valueStart + 1;
          if (at + size > out.length) out = growScratch(out, at, at + size);
          at += section.copy(out, at, Math.max(valueStart, 0), Math.max(valueEnd, 0));
          out[at] = LINE_FEED;
          at += 1;
        },
        get textBytes() {
          return at;
        },
        finish: async () => {
          const bytes = await compress(codec, out.subarray(0, at), { level });
          putBackScratch(out);
          return { bytes, textBytes: at };
        },
      };
    },
  };
}

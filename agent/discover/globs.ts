/** What globs say of a path, without a look at the file system. */
import picomatch from 'picomatch';

export interface Globs {
  /** Whether a file of this path belongs to the pipeline. */
  readonly matches: (path: string) => boolean;
  /** Whether a match can lie somewhere below a directory of this path. */
  readonly leadsTo: (path: string) => boolean;
  /** Where a walk goes on from a directory: into directories of these names, or of any that `leadsTo` lets through. */
  readonly namesIn: (directory: string) => readonly string[] | 'any';
}

/** `s`: a line break in a name is a character like others. */
const OPTIONS = { dot: true, flags: 's' } as const;

type Segment = { kind: 'name'; name: string } | { kind: 'pattern'; fits: (name: string) => boolean } | 'deep';

/** Slashes inside of braces and brackets belong to what is inside. */
function splitSegments(glob: string): string[] {
  const segments = [''];
  let depth = 0;
  for (let i = 1; i < glob.length; i += 1) {
    const character = glob[i]!;
    if (character === '\\') {
      segments[segments.length - 1] += glob.slice(i, i + 2);
      i += 1;
      continue;
    }
    if ('{[('.includes(character)) depth += 1;
    if ('}])'.includes(character)) depth = Math.max(0, depth - 1);
    if (character === '/' && depth === 0) segments.push('');
    else segments[segments.length - 1] += character;
  }
  return segments.filter((segment) => segment !== '');
}

function segmentsOf(glob: string): Segment[] {
  const segments: Segment[] = [];
  for (const text of splitSegments(glob)) {
    // An alternative with a slash in it says little about how deep it goes: look everywhere below.
    if (text === '**' || text.includes('/')) segments.push('deep');
    else if (picomatch.scan(text).isGlob || text.includes('\\')) {
      segments.push({ kind: 'pattern', fits: picomatch(text, OPTIONS) });
    } else segments.push({ kind: 'name', name: text });
    if (text.includes('/')) break;
  }
  return segments;
}

/** A glob and how many of its segments lead to a directory. */
interface Position {
  readonly segments: readonly Segment[];
  readonly at: number;
}

/** `**` stands for no directory as well. */
function withNone(positions: Position[]): Position[] {
  return positions.flatMap((position) => {
    const all = [position];
    for (let { segments, at } = position; segments[at] === 'deep' && at + 1 < segments.length; at += 1) {
      all.push({ segments, at: at + 1 });
    }
    return all;
  });
}

function enter(positions: readonly Position[], name: string): Position[] {
  const next = positions.flatMap(({ segments, at }) => {
    const segment = segments[at]!;
    if (segment === 'deep') return [{ segments, at }];
    const fits = segment.kind === 'name' ? segment.name === name : segment.fits(name);
    return fits && at + 1 < segments.length ? [{ segments, at: at + 1 }] : [];
  });
  return withNone(next);
}

export function parseGlobs(include: readonly string[], exclude: readonly string[]): Globs {
  const wanted = include.map((glob) => glob.replace(/\/+$/, ''));
  const starts = withNone(wanted.map((glob) => ({ segments: segmentsOf(glob), at: 0 })));
  const pruned = exclude.filter((glob) => glob.endsWith('/**'));
  const leftOut = pruned.length === 0 ? () => false : picomatch(pruned, OPTIONS);
  const at = (directory: string): Position[] => {
    let positions = starts;
    for (const name of directory.split('/')) if (name !== '') positions = enter(positions, name);
    return positions;
  };
  return {
    matches: picomatch(wanted, { ...OPTIONS, ignore: [...exclude] }),
    leadsTo: (path) => at(path).length > 0 && !leftOut(path),
    namesIn: (directory) => {
      const names = new Set<string>();
      for (const { segments, at: i } of at(directory)) {
        const segment = segments[i]!;
        if (segment === 'deep' || segment.kind === 'pattern') return 'any';
        names.add(segment.name);
      }
      return [...names];
    },
  };
}

import type { World } from './world.ts';

const NAME = /(?<partition>\d+)-(?<start>\d+)\.[^/]*$/;

/**
 * What is wrong with the names of objects, in words: they tile each partition. An object has in its name the
 * offset at which its chunk begins, and holds only records from there to where the next chunk begins.
 */
export function nameProblems({ partitions, store }: Pick<World, 'partitions' | 'store'>): string[] {
  const placeOf = new Map(
    partitions.flatMap(({ batches }, partition) =>
      batches.flatMap(({ baseOffset, texts }) =>
        texts.map((text, i) => [text, { partition, offset: baseOffset + i }] as const),
      ),
    ),
  );
  const named = [...store.objects].map(([name, values]) => {
    const { partition, start } = NAME.exec(name)!.groups!;
    return { name, values, partition: Number(partition), start: Number(start) };
  });
  const starts = partitions.map((_, p) =>
    named.flatMap(({ partition, start }) => (partition === p ? [start] : [])).toSorted((a, b) => a - b),
  );
  return named.flatMap(({ name, values, partition, start }) => {
    const end = starts[partition]!.find((next) => next > start) ?? Infinity;
    const isOutside = (value: string): boolean => {
      const place = placeOf.get(value);
      return place?.partition !== partition || place.offset < start || place.offset >= end;
    };
    return values
      .filter(isOutside)
      .map((value) => `${name} holds ${value}, which is not of [${start}, ${end}) of the partition`);
  });
}

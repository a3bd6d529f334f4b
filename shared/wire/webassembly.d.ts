/** What is used here of the WebAssembly JavaScript interface, which neither @types/node 20 nor TypeScript's es libraries declare. */
declare namespace WebAssembly {
  class Memory {
    constructor(descriptor: { initial: number; maximum: number });
    readonly buffer: ArrayBuffer;
    /** Detaches `buffer`. @throws RangeError beyond the maximum, or without memory */
    grow(pages: number): number;
  }
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  const Module: new (bytes: Uint8Array) => Module;
  class Instance<Exports> {
    constructor(module: Module, imports: Record<string, Record<string, Memory>>);
    /** What the module gives; nothing checks that. */
    readonly exports: Exports;
  }
}

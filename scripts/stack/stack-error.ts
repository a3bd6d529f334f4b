/** A failure of the local stack whose message is written for the person who started it; shown without a stack trace. */
export class StackError extends Error {}

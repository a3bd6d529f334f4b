/** A failure whose message is written for the person who runs the demo; shown without a stack trace. */
export class DemoError extends Error {}

/** The demo was asked for something that cannot be; nothing was started. */
export class UsageError extends DemoError {}

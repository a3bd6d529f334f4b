/** What `skald` leaves with; `skald --help` and docs name them. 130 and 143 are the shell's 128 + signal number. */
export const EXIT = {
  ok: 0,
  /** It failed while it worked, or a checked file is invalid. */
  error: 1,
  /** Wrong usage, or a configuration that nothing can be started from. */
  usage: 2,
  interrupted: 130,
  terminated: 143,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

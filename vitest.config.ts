import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';

type ProjectOptions = NonNullable<TestProjectInlineConfiguration['test']>;

/** The SDK announces on every start that it will want a newer Node one day; among test results that is noise. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

/** For files that use brokers and S3. */
const STACK = {
  globalSetup: 'test/support/global-setup.ts',
  setupFiles: 'test/support/own-ports.ts',
  testTimeout: 240_000,
  hookTimeout: 120_000,
};

/** Groups run one after another, in this order: what is quick to fail comes first, and what measures has the machine for itself. */
function project(name: string, groupOrder: number, options: ProjectOptions): TestProjectInlineConfiguration {
  return {
    test: { name, include: [`test/${name}/**/*.test.ts`], sequence: { groupOrder }, ...options },
  };
}

// Limits are for what hangs, not for what is slow on a busy machine.
export default defineConfig({
  test: {
    projects: [
      // A worker for every core; Vitest would leave one of two idle.
      project('unit', 0, { maxWorkers: '100%', testTimeout: 60_000, hookTimeout: 60_000 }),
      // Seeded runs of thousands of steps.
      project('simulation', 1, { maxWorkers: '100%', testTimeout: 300_000, hookTimeout: 60_000 }),
      // Real brokers and S3, shared by all files of the next three. They mostly wait, so two run at a time.
      project('integration', 2, { ...STACK, maxWorkers: 2 }),
      // Whole programs, killed and restarted.
      project('e2e', 2, { ...STACK, maxWorkers: 2 }),
      // What something costs, or how long it takes: one file at a time, with nothing beside it.
      project('measured', 3, { ...STACK, maxWorkers: 1 }),
    ],
    coverage: {
      provider: 'v8',
      include: ['agent/**', 'transporter/**', 'shared/**', 'cli/**'],
      reporter: ['text-summary', 'html'],
    },
  },
});

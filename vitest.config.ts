import { defineConfig } from 'vitest/config';
import type { TestProjectInlineConfiguration } from 'vitest/config';

type ProjectOptions = NonNullable<TestProjectInlineConfiguration['test']>;

/** The SDK announces on every start that it will want a newer Node one day; among test results that is noise. */
process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true';

const STACK_SETUP = 'test/support/global-setup.ts';

/** Groups run one after another, in this order: what is quick to fail comes first, and what measures has the machine for itself. */
function project(name: string, groupOrder: number, options: ProjectOptions): TestProjectInlineConfiguration {
  return {
    test: { name, include: [`test/${name}/**/*.test.ts`], sequence: { groupOrder }, ...options },
  };
}

export default defineConfig({
  test: {
    projects: [
      // A worker for every core; Vitest would leave one of two idle. A limit is for what hangs, not for what is slow.
      project('unit', 0, { maxWorkers: '100%', testTimeout: 60_000, hookTimeout: 60_000 }),
      // Seeded runs of thousands of steps.
      project('simulation', 1, { maxWorkers: '100%', testTimeout: 300_000, hookTimeout: 60_000 }),
      // Real brokers and S3, shared by the files of both projects. Files of the first mostly wait, so two run at a time:
      // none of them may measure how long something takes.
      project('integration', 2, {
        testTimeout: 120_000,
        hookTimeout: 120_000,
        maxWorkers: 2,
        globalSetup: STACK_SETUP,
      }),
      // Whole programs, killed and restarted, and whatever measures time, one file after the other.
      project('e2e', 3, {
        testTimeout: 180_000,
        hookTimeout: 120_000,
        maxWorkers: 1,
        globalSetup: STACK_SETUP,
      }),
    ],
    coverage: {
      provider: 'v8',
      include: ['agent/**', 'transporter/**', 'shared/**', 'cli/**'],
      reporter: ['text-summary', 'html'],
    },
  },
});

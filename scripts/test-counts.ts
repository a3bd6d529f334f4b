/** The parts of Vitest's JSON report (the shape of Jest's) that are counted. */
export interface TestReport {
  numPassedTests: number;
  numFailedTests: number;
  testResults: readonly {
    status: string;
    assertionResults: readonly { status: string }[];
  }[];
}

export interface TestCounts {
  passed: number;
  failed: number;
}

/**
 * A file that failed without a failed test of its own could not be loaded or set up: it counts as one failure, for
 * nobody knows how many tests it holds. So does a run that failed for a reason outside of any file, such as an
 * unhandled error, or that ran nothing at all.
 */
export function countTests(report: TestReport | undefined, exitCode: number | null): TestCounts {
  if (report === undefined) return { passed: 0, failed: 1 };
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  const passed = report.numPassedTests;
  const failed = report.numFailedTests + brokenFiles.length;
  const failedOutsideOfFiles = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: failedOutsideOfFiles ? 1 : failed };
}

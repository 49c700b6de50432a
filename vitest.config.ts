import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Real repositories, archives and recoveries, a minute or more each: `npm test` leaves them to CI. */
const long = [
  ...["copies", "damage", "files", "past", "remote", "retention", "wal", "wal-s3"].map(
    (name) => `test/component/backup/${name}.test.ts`,
  ),
  "test/component/recovery/*.test.ts",
];

/**
 * Levels, each a project of its own (`vitest --project unit`). Only `unit` needs nothing; `component`, `component-long` and `crash-engine` need
 * PostgreSQL's programs; `system`, `compose` and `crash` need the practice stack, so their files run one after the other.
 */
export default defineConfig({
  test: {
    // The tests mostly wait for programs that they start, so there is room for one more than there are processors.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        extends: true,
        test: { name: "unit", include: ["src/**/*.test.ts", "test/unit/**/*.test.ts"], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "component",
          include: ["test/component/**/*.test.ts"],
          exclude: long,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: { name: "component-long", include: long, testTimeout: 60_000, hookTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: "system",
          include: ["test/system/**/*.test.ts"],
          globalSetup: ["test/harness/practice-stack.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "compose",
          include: ["test/compose/**/*.test.ts"],
          globalSetup: ["test/harness/practice-stack.ts"],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "crash-engine",
          include: ["test/crash/engine*.test.ts"],
          testTimeout: 300_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        extends: true,
        test: {
          name: "crash",
          include: ["test/crash/**/*.test.ts"],
          exclude: ["test/crash/engine*.test.ts"],
          globalSetup: ["test/harness/practice-stack.ts"],
          testTimeout: 900_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

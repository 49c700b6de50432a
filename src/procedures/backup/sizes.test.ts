import { describe, expect, it } from "vitest";
import { findSizeFaults } from "./sizes.ts";

const usual = [100, 104, 98, 102, 101, 99, 103].map((database) => ({ database, filestore: 10 * database }));

describe("the size of a backup", () => {
  it.each([
    [61, 1010, []],
    [59, 1010, ["database 58 %"]],
    [181, 1010, []],
    [183, 1010, ["database 181 %"]],
    [100, 590, ["filestore 58 %"]],
    [0, 0, ["database 0 %", "filestore 0 %"]],
  ])("of %i and %i beside a usual 101 and 1010 is out of line: %j", (database, filestore, faults) => {
    const found = findSizeFaults({ database, filestore }, usual).map(({ what, percent }) => `${what} ${percent} %`);
    expect(found).toEqual(faults);
  });

  it("is compared with the latest seven, and only when there are three", () => {
    const small = { database: 1, filestore: 1 };
    expect(findSizeFaults(small, usual.slice(0, 2))).toEqual([]);
    expect(findSizeFaults(small, usual.slice(0, 3))).toHaveLength(2);
    expect(findSizeFaults(small, [...Array(7).fill(small), ...usual])).toEqual([]);
  });

  it("that nobody counted, or that never was any, is not judged", () => {
    expect(findSizeFaults({ database: 100, filestore: null }, usual)).toEqual([]);
    const without = usual.map(({ database }) => ({ database, filestore: null }));
    expect(findSizeFaults({ database: 100, filestore: 5 }, without)).toEqual([]);
    expect(
      findSizeFaults(
        { database: 100, filestore: 5 },
        usual.map(({ database }) => ({ database, filestore: 0 })),
      ),
    ).toEqual([]);
  });
});

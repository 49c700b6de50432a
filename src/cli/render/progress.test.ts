import { expect, it } from "vitest";
import { readLine } from "./progress.ts";

it.each([
  [
    '{"message_type":"status","seconds_elapsed":20,"seconds_remaining":65,"percent_done":0.25,"total_files":9,"total_bytes":400000000,"bytes_done":100000000}',
    { amount: "25 %, 100.0 MB of 400.0 MB, 1 min 05 s left" },
  ],
  ['{"message_type":"status","percent_done":0}', { amount: "0 %" }],
  ['{"message_type":"status","bytes_done":12300000}', { amount: "12.3 MB" }],
  ["[1:05] 25.00%  3 / 12 packs copied", { amount: "25 %, 3 of 12 packs copied, 3 min 15 s left" }],
  ["[0:00] 100.00%  2 / 2 packs", { amount: "100 %, 2 of 2 packs" }],
  ["[1:02:03] 0.00%  0 / 9 snapshots", { amount: "0 %, 0 of 9 snapshots" }],
  ['{"message_type":"summary","files_new":3}', { line: '{"message_type":"summary","files_new":3}' }],
  ['pg_dump: dumping contents of table "public.x" ', { line: 'pg_dump: dumping contents of table "public.x"' }],
])("what a program prints is understood: %s", (line, understood) => {
  expect(readLine(line)).toEqual(understood);
});

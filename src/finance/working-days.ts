import { addDays, type Day, dayOfMonth, easterOf, partsOf, weekdayOf } from "./day.ts";
import type { Confidence, Filer, Holiday, Holidays } from "./schema.ts";

/**
 * Which days are worked. A holiday that is only estimated moves no deadline: when it is proclaimed for another day, the moved deadline
 * would be missed. Counting back for preparation it is not worked: there, earlier is safe.
 */

export interface Off {
  readonly day: Day;
  readonly kind: "weekend" | "holiday";
  /** "Sunday", or a holiday's name. */
  readonly name: string;
  readonly type?: Holiday["type"];
  readonly basis?: string;
  readonly confidence: Confidence;
}

export interface WorkingDays {
  /** Why nobody works on that day; undefined when it is worked. */
  findOff(day: Day): Off | undefined;
  findEstimate(day: Day): Holiday | undefined;
  isProclaimed(year: number): boolean;
}

export function createWorkingDays(holidays: Holidays, filer: Filer): WorkingDays {
  const nonWorking = holidays.days.filter(
    ({ type, regions = [] }) =>
      type !== "special_working" && (regions.length === 0 || regions.some((one) => filer.regions.includes(one))),
  );
  const index = (status: Holiday["status"]) =>
    new Map(nonWorking.filter((one) => one.status === status).map((one) => [one.date, one]));
  const [proclaimed, estimated] = [index("proclaimed"), index("estimated")];
  const proclaimedYears = new Set(holidays.proclaimedYears);
  const fixed = new Map<number, ReadonlyMap<Day, Holiday>>();
  const findFixed = (day: Day): Holiday | undefined => {
    const { year } = partsOf(day);
    if (proclaimedYears.has(year)) return undefined;
    const known = fixed.get(year) ?? holidaysByLaw(holidays, year);
    fixed.set(year, known);
    return known.get(day);
  };
  return {
    findOff: (day) => {
      const holiday = proclaimed.get(day) ?? findFixed(day);
      if (holiday !== undefined) {
        const { name, type, basis, confidence } = holiday;
        return { day, kind: "holiday", name, type, basis, confidence };
      }
      const name = weekdayOf(day);
      return name === "Saturday" || name === "Sunday" ? { day, kind: "weekend", name, confidence: "high" } : undefined;
    },
    findEstimate: (day) => estimated.get(day),
    isProclaimed: (year) => proclaimedYears.has(year),
  };
}

/** For a year whose proclamation nobody has entered: what the law itself fixes. */
function holidaysByLaw({ byLaw }: Holidays, year: number): ReadonlyMap<Day, Holiday> {
  return new Map(
    byLaw.map(({ on, ...rest }) => {
      const date = dateIn(on, year);
      return [date, { ...rest, date, status: "proclaimed", confidence: "medium" }];
    }),
  );
}

function dateIn(on: Holidays["byLaw"][number]["on"], year: number): Day {
  if ("easter" in on) return addDays(easterOf(year), on.easter);
  if ("day" in on) return dayOfMonth(year, on.month, on.day);
  let day = dayOfMonth(year, on.lastMonday, "last");
  while (weekdayOf(day) !== "Monday") day = addDays(day, -1);
  return day;
}

/** So many working days before. */
export function workingDaysBefore(working: WorkingDays, day: Day, count: number): Day {
  let found = day;
  for (let left = count; left > 0; ) {
    found = addDays(found, -1);
    if (working.findOff(found) === undefined && working.findEstimate(found) === undefined) left -= 1;
  }
  return found;
}

/** The day itself or the first working day after it, and what stood in the way. */
export function nextWorkingDay(working: WorkingDays, day: Day): { readonly day: Day; readonly passed: readonly Off[] } {
  const passed: Off[] = [];
  let found = day;
  for (let off = working.findOff(found); off !== undefined; off = working.findOff(found)) {
    passed.push(off);
    found = addDays(found, 1);
  }
  return { day: found, passed };
}

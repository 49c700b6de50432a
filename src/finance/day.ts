/**
 * Calendar dates, written YYYY-MM-DD. A deadline is a date and no instant, so there is no clock and no zone here: days are counted
 * from 1970-01-01 by the rules of the Gregorian calendar. Written dates of four digits sort as they follow each other.
 */

export type Day = string;

export interface Parts {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Undefined for what is no date of the calendar, such as 2027-02-29. */
export function findDay(text: string): Day | undefined {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (found === null) return undefined;
  const [year, month, day] = [Number(found[1]), Number(found[2]), Number(found[3])];
  const exists = month >= 1 && month <= 12 && day >= 1 && day <= lengthOfMonth(year, month);
  return exists ? text : undefined;
}

export function partsOf(day: Day): Parts {
  return { year: Number(day.slice(0, 4)), month: Number(day.slice(5, 7)), day: Number(day.slice(8, 10)) };
}

export function toDay({ year, month, day }: Parts): Day {
  return `${String(year).padStart(4, "0")}-${String(month).padStart(2, "0")}-${String(day).padStart(2, "0")}`;
}

export function lengthOfMonth(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** That day of a month; of a month that is shorter, its last. Months are counted on past December and back before January. */
export function dayOfMonth(year: number, month: number, day: number | "last"): Day {
  const shifted = { year: year + Math.floor((month - 1) / 12), month: (((month - 1) % 12) + 12) % 12 };
  const length = lengthOfMonth(shifted.year, shifted.month + 1);
  return toDay({ year: shifted.year, month: shifted.month + 1, day: day === "last" ? length : Math.min(day, length) });
}

export function addDays(day: Day, count: number): Day {
  return fromCount(toCount(day) + count);
}

/** Days from the first to the second. */
export function daysBetween(from: Day, to: Day): number {
  return toCount(to) - toCount(from);
}

export type Weekday = "Sunday" | "Monday" | "Tuesday" | "Wednesday" | "Thursday" | "Friday" | "Saturday";
const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;

export function weekdayOf(day: Day): Weekday {
  // 1970-01-01 was a Thursday.
  return weekdays[(((toCount(day) + 4) % 7) + 7) % 7] ?? "Sunday";
}

/** Easter Sunday, by the anonymous Gregorian computus: Maundy Thursday and Good Friday hang on it. */
export function easterOf(year: number): Day {
  const golden = year % 19;
  const century = Math.floor(year / 100);
  const ofCentury = year % 100;
  const moon = (19 * golden + century - Math.floor(century / 4) - Math.floor((8 * century + 13) / 25) + 15) % 30;
  const sunday = (32 + 2 * (century % 4) + 2 * Math.floor(ofCentury / 4) - moon - (ofCentury % 4)) % 7;
  const correction = Math.floor((golden + 11 * moon + 19 * sunday) / 433);
  const month = Math.floor((moon + sunday - 7 * correction + 90) / 25);
  return toDay({ year, month, day: (moon + sunday - 7 * correction + 33 * month + 19) % 32 });
}

/** Years begin in March here, so that the leap day is the last of its year. */
function toCount(day: Day): number {
  const { year, month, day: ofMonth } = partsOf(day);
  const marchYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(marchYear / 400);
  const ofEra = marchYear - era * 400;
  const ofYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + ofMonth - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719_468;
}

function fromCount(count: number): Day {
  const shifted = count + 719_468;
  const era = Math.floor(shifted / 146_097);
  const ofEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * ofYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  const day = ofYear - Math.floor((153 * marchMonth + 2) / 5) + 1;
  return toDay({ year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day });
}

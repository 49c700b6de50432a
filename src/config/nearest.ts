/** The known name that somebody probably meant, or undefined when none is near. */
export function findNearest(name: string, known: readonly string[]): string | undefined {
  const ranked = known.map((candidate) => ({
    candidate,
    distance: editDistance(name.toLowerCase(), candidate.toLowerCase()),
  }));
  const best = ranked.toSorted((a, b) => a.distance - b.distance)[0];
  // A third of the letters wrong is a typing error; more is another word.
  return best !== undefined && best.distance <= Math.max(1, Math.floor(name.length / 3)) ? best.candidate : undefined;
}

/** How many letters must be inserted, deleted, replaced or exchanged with their neighbour. */
function editDistance(a: string, b: string): number {
  let [before, row]: readonly number[][] = [[], Array.from({ length: b.length + 1 }, (_, index) => index)];
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = at(row, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min(replace, at(row, j) + 1, at(next, j - 1) + 1, isSwap ? at(before, j - 2) + 1 : replace));
    }
    [before, row] = [row, next];
  }
  return at(row, b.length);
}

function at(row: readonly number[] | undefined, index: number): number {
  return row?.[index] ?? Number.POSITIVE_INFINITY;
}

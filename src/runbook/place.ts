/**
 * Where an action's programs run: a machine (`local`, `ssh://user@host:port`), or a container of its Docker engine, which is named
 * after it: `ssh://user@host:port/docker:NAME`.
 */

export interface Place {
  readonly host: string;
  readonly container?: string;
}

export function inContainer(host: string, container: string): string {
  return `${host}${mark}${container}`;
}

export function parsePlace(place: string): Place {
  const at = place.indexOf(mark);
  return at === -1 ? { host: place } : { host: place.slice(0, at), container: place.slice(at + mark.length) };
}

const mark = "/docker:";

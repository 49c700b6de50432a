/** What the pages share. Whatever comes from outside is text, never markup. */

/** Asks the API; throws what its problem says. */
export async function ask(path, body) {
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await response.text();
  const answer = text === "" ? undefined : JSON.parse(text);
  if (response.ok) return answer;
  const words = [answer?.title ?? answer?.message ?? "That did not work.", answer?.detail].filter(Boolean).join(" ");
  throw Object.assign(new Error(words), { status: response.status, code: answer?.code });
}

export const find = (id) => document.getElementById(id);

/** An element with its properties, and what is in it. */
export function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

export function say(words, isBad = false) {
  const said = find("said");
  said.textContent = words;
  said.className = isBad ? "bad" : "";
}

/** Nothing is sent twice, and what goes wrong is told. */
export async function doing(button, work) {
  button.disabled = true;
  say("");
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  } finally {
    button.disabled = false;
  }
}

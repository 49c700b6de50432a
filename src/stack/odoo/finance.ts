import type { StackConfig } from "../../config/schema.ts";
import type { HttpAction } from "../../runbook/action.ts";
import { secret, suffixed } from "../../runbook/value.ts";
import type { Odoo } from "./odoo.ts";

/** The door for programs of the addon ipai_finance_ppm: plain JSON, with an API key of Odoo's and its user's rights. */
export interface FinanceDoor {
  /** Where it is, for messages. */
  readonly url: string;
  ask(path: string, query: Readonly<Record<string, string>>): HttpAction;
  tell(path: string, body: object): HttpAction;
}

const door = "/ipai/finance/ppm/api/";

/** The first Odoo service is asked: all serve one database. */
export function createFinanceDoor({ finance, services }: StackConfig, odoo: Odoo): FinanceDoor | undefined {
  const [service] = services.odoo;
  if (finance === undefined || service === undefined) return undefined;
  const { from, url } = odoo.addressOf(service);
  const request = (method: "GET" | "POST", path: string, timeoutSeconds: number) => ({
    ...{ kind: "http" as const, host: from, method, url: suffixed(url, `${door}${path}`), timeoutSeconds },
    bearer: secret("finance.apiKey"),
    headers: { Accept: "application/json", "Content-Type": "application/json" },
  });
  return {
    url: service.url,
    ask: (path, query) => {
      const words = new URLSearchParams(query).toString();
      return request("GET", words === "" ? path : `${path}?${words}`, 60);
    },
    // A holiday dates every open filing of every company anew.
    tell: (path, body) => ({ ...request("POST", path, 300), body: JSON.stringify(body) }),
  };
}

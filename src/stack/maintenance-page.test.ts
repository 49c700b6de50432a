import { describe, expect, it } from "vitest";
import { maintenanceAnswer, maintenanceMark, maintenancePage } from "./maintenance-page.ts";

const notice = { name: `A & B's "<suite>"`, colour: "#123456", reason: "</p><script>x</script>", until: "<soon>" };

describe("what is shown during a maintenance", () => {
  it("has every text as text", () => {
    const page = maintenancePage(notice);
    expect(page).toContain(maintenanceMark);
    expect(page).toContain("<title>A &#38; B&#39;s &#34;&#60;suite&#62;&#34;: back soon</title>");
    expect(page).toContain("<p>&#60;/p&#62;&#60;script&#62;x&#60;/script&#62;</p>");
    expect(page.match(/<script>/g)).toHaveLength(1);
    expect(page).not.toContain("<soon>");
    expect(page).toContain("--own: #123456;");
  });

  it("says nothing of what nobody knows", () => {
    const page = maintenancePage({ ...notice, reason: "", until: undefined });
    expect([page.includes("<p></p>"), page.includes("usually takes a few minutes")]).toEqual([false, true]);
  });

  it("is one line of JSON for programs", () => {
    const answer = maintenanceAnswer(notice);
    expect([answer.endsWith("\n"), answer.split("\n").length]).toEqual([true, 2]);
    expect(JSON.parse(answer)).toMatchObject({
      error: {
        code: 503,
        data: { name: maintenanceMark, until: "<soon>", message: expect.stringContaining("<suite>") },
      },
    });
  });
});

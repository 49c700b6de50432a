import { ask, doing, find } from "./common.js";
import { offerPasskey } from "./passkey.js";

const home = () => location.assign("/");

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void doing(event.submitter, async () => {
    const answer = await ask("/api/auth/sign-in/email", {
      email: find("name").value,
      password: find("password").value,
    });
    if (answer?.twoFactorRedirect !== true) return home();
    find("form").hidden = true;
    find("code-form").hidden = false;
    find("code").focus();
  });
});

find("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void doing(event.submitter, async () => {
    const code = find("code").value.trim();
    await ask(`/api/auth/two-factor/${/^\d{6}$/.test(code) ? "verify-totp" : "verify-backup-code"}`, { code });
    home();
  });
});

offerPasskey(find("passkey"));

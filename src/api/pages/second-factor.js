import { ask, doing, find } from "./common.js";
import { offerPasskey } from "./passkey.js";

/** For whoever is signed in and may do nothing yet, because a second factor is due. */
offerPasskey(find("passkey"));

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void doing(event.submitter, async () => {
    const { totpURI, backupCodes } = await ask("/api/auth/two-factor/enable", { password: find("password").value });
    find("uri").href = totpURI;
    find("secret").textContent = new URL(totpURI).searchParams.get("secret");
    find("backup").textContent = backupCodes.join(" ");
    find("form").hidden = true;
    find("code-form").hidden = false;
    find("code").focus();
  });
});

find("code-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void doing(event.submitter, async () => {
    await ask("/api/auth/two-factor/verify-totp", { code: find("code").value.trim() });
    location.assign("/");
  });
});

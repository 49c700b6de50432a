import { ask, doing } from "./common.js";

/** A button that signs in with a passkey, where the browser has any. */
export function offerPasskey(button) {
  button.hidden = !("PublicKeyCredential" in window);
  button.addEventListener("click", () => {
    void doing(button, async () => {
      const options = await ask("/api/auth/passkey/generate-authenticate-options");
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const credential = await navigator.credentials.get({ publicKey });
      await ask("/api/auth/passkey/verify-authentication", { response: credential.toJSON() });
      location.assign("/");
    });
  });
}

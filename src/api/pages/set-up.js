import { ask, doing, find, say } from "./common.js";

/** The token stands after the #, where no server and no proxy writes it to a log. */
const token = location.hash.slice(1);
if (token === "") say("This address lacks the part after #. Open the whole link that you were given.", true);

find("form").addEventListener("submit", (event) => {
  event.preventDefault();
  void doing(event.submitter, async () => {
    if (find("password").value !== find("again").value) throw new Error("The two are not the same.");
    await ask("/api/auth/set-up", { token, password: find("password").value });
    history.replaceState(null, "", "/set-up");
    location.assign("/sign-in");
  });
});

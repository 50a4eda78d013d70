"use strict";
// What is typed in a form of reading waits in this tab, for this person, until the service has kept it: a session may end
// under an open form. Nothing of it leaves the browser, and signing out drops it.
const drafts = (() => {
  const START = "vigie-lecture:";
  const SENT = "vigie-envoi";
  const nameOf = (action) => `${START}${document.body.dataset.person}:${action}`;
  const quietly = (work) => { try { return work() ?? null; } catch { return null; /* storage may be refused */ } };
  const every = () => quietly(() => Object.keys(sessionStorage).filter((name) => name.startsWith(START))) ?? [];
  return {
    of: (action) => quietly(() => JSON.parse(sessionStorage.getItem(nameOf(action)))),
    keep: (action, draft) => quietly(() => draft.typed.length ? sessionStorage.setItem(nameOf(action), JSON.stringify(draft)) : sessionStorage.removeItem(nameOf(action))),
    sent: (action) => quietly(() => sessionStorage.setItem(SENT, nameOf(action))),
    any: () => every().length > 0,
    drop: () => quietly(() => every().forEach((name) => sessionStorage.removeItem(name))),
    // The page that follows a form that was kept says so in its address; any other leaves the draft as it is.
    settle: () => quietly(() => {
      const query = new URLSearchParams(location.search);
      if (query.has("fait") || query.has("faite")) sessionStorage.removeItem(sessionStorage.getItem(SENT) ?? "");
      sessionStorage.removeItem(SENT);
    }),
  };
})();
drafts.settle();
document.querySelector("form[action='/deconnexion']")?.addEventListener("submit", drafts.drop);
for (const told of document.querySelectorAll("#garde")) told.hidden = !(document.body.dataset.person ? drafts.of(location.pathname) : drafts.any());

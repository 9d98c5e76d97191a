// A link to "#limits" on the page opens that tab, as it does when the page is loaded.
"use strict";
addEventListener("hashchange", () => {
  const { hash } = location;
  const tabs = document.querySelectorAll("#tabs-items a, #tabs-dropdown a");
  [...tabs].find((tab) => tab.getAttribute("href") === hash)?.click();
});

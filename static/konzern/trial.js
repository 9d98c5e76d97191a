// After "Try" the page is a new one: go on at what would be decided.
// Without this script it stands below the form all the same.
"use strict";
addEventListener("load", () => {
  document.getElementById("trial-result")?.focus();
});

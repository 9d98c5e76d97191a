// While a new company is entered: shows above the form which companies may be the same.
// A hint only; without this script the same is said after saving.
"use strict";
(() => {
  const FIELDS = ["name", "legal_name", "country", "registration_id",
    "registration_agency", "tax_id", "lei", "duns"];
  const ADD = /\/companies\/company\/add\/$/;
  let asked = 0;

  const ask = async (form, hint) => {
    const values = new URLSearchParams();
    for (const name of FIELDS) {
      const value = form.elements[name]?.value.trim();
      if (value) values.set(name, value);
    }
    const mine = ++asked;
    const url = window.location.pathname.replace(ADD, `/companies/company/duplicates/hint/?${values}`);
    const answer = await fetch(url, { credentials: "same-origin" });
    if (mine !== asked || !answer.ok || answer.redirected) return;
    hint.innerHTML = await answer.text();
    hint.hidden = !hint.textContent.trim();
  };

  document.addEventListener("DOMContentLoaded", () => {
    const form = document.querySelector("#company_form");
    if (!form || !ADD.test(window.location.pathname)) return;
    const hint = document.createElement("p");
    hint.className = "kz-warning";
    hint.hidden = true;
    hint.setAttribute("role", "status");
    form.prepend(hint);
    form.addEventListener("change", (event) => {
      if (FIELDS.includes(event.target.name)) ask(form, hint);
    });
  });
})();

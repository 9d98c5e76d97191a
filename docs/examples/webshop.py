"""A webshop's side of Konzern: login, prices, may they buy, approval, order.

    uv run manage.py demo
    python docs/examples/webshop.py http://127.0.0.1:8000 SHOP SHOP_SECRET \\
        --buyer 3@163 --approver 2@60

The demo prints this line with its own ids and secret. Standard library only: take what
you need of it. Each call that must not happen twice has a key, which is sent again with
the same call when an answer is lost.
"""

import argparse
import base64
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from typing import Any

TRIES = 5
BUSY = (429, 503)  # with Retry-After


class Refused(Exception):
    """A refusal by its stable code; `problem` is all of it (RFC 9457)."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status, self.problem = status, problem
        self.code = problem.get("code") or problem.get("error", "")
        super().__init__(f"{status} {self.code}: {problem.get('detail', '')}")


class Konzern:
    """The API, as a shop with the scope `act` sees it."""

    def __init__(self, address: str, client_id: str, secret: str) -> None:
        self.address, self.client_id, self.secret = address, client_id, secret
        self.token, self.token_ends = "", 0.0

    def as_person(self, contact: int, company: int) -> "Person":
        return Person(self, contact, company)

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str = "",
        version: int | None = None,
    ) -> dict[str, Any]:
        """One call, repeated while the server is busy or the answer was lost."""
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        data = None if body is None else json.dumps(body).encode()
        safe = method == "GET" or bool(key)
        for attempt in range(1, TRIES + 1):
            headers["Authorization"] = f"Bearer {self._token()}"
            try:
                return self._send(method, f"/api/v1/{path}", data, headers)
            except Refused as refusal:
                if refusal.status == 401 and attempt == 1:
                    self.token = ""  # it has ended
                elif refusal.status not in BUSY or attempt == TRIES:
                    raise
                else:
                    time.sleep(refusal.problem.get("retry_after", 1))
            except OSError:
                if not safe or attempt == TRIES:
                    raise
                time.sleep(attempt)
        raise AssertionError("The last attempt returns or raises.")

    def _token(self) -> str:
        if not self.token or time.monotonic() > self.token_ends:
            pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            form = {"grant_type": "client_credentials", "scope": "act"}
            answer = self._send(
                "POST",
                "/oauth/token/",
                urllib.parse.urlencode(form).encode(),
                {
                    "Authorization": f"Basic {pair}",
                    "Content-Type": "application/x-www-form-urlencoded",
                },
            )
            self.token = answer["access_token"]
            self.token_ends = time.monotonic() + answer["expires_in"] - 60
        return self.token

    def _send(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310  (the address is our own)
            self.address + path, data, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            if wait := error.headers.get("Retry-After"):
                problem["retry_after"] = int(wait)
            raise Refused(error.code, problem) from error


class Person:
    """Somebody who is logged in at the shop, at one company."""

    def __init__(self, api: Konzern, contact: int, company: int) -> None:
        self.api, self.at = api, f"as/{contact}/in/{company}"

    def get(self, path: str) -> dict[str, Any]:
        return self.api.call("GET", f"{self.at}/{path}")

    def post(self, path: str, body: dict[str, Any], **options: Any) -> dict[str, Any]:
        return self.api.call("POST", f"{self.at}/{path}", body, **options)


def check_out(
    buyer: Person, approver: Person, cart: str, amount: str, currency: str
) -> None:
    """From login to order, as a shop would do it; says each step."""
    money = {"amount": amount, "currency": currency}
    me = buyer.get("me/")
    name = f"{me['contact']['first_name']} {me['contact']['last_name']}"
    say(f"{name} is {me['role']} at {me['company']['name']}")
    for limit in me["limits"]:
        left = limit["remaining"] or "no end"
        say(f"  limit of {limit['company_name']}: {left} {limit['currency']} left")

    prices = [row["code"] for row in buyer.get("pricing-context/")["price_lists"]]
    say(f"price lists, the first one counts: {', '.join(prices) or 'none'}")

    decision = buyer.post("purchase-requests/check/", {"money": money})
    say(f"may they buy for {amount} {currency}? {decision['outcome']}")
    for reason in decision["reasons"]:
        say(f"  {reason['message']}")
    if decision["outcome"] == "BLOCKED":
        return

    order = {"kind": "CART", "reference": cart, "money": money}
    asked = buyer.post("purchase-requests/", order, key=f"submit-{cart}")
    again = buyer.post("purchase-requests/", order, key=f"submit-{cart}")
    same = "one" if again["id"] == asked["id"] else "another"
    say(f"request {asked['id']} is {asked['status']}; sent twice it is {same}")

    request, version = asked["id"], asked["version"]
    if asked["status"] == "PENDING":
        waiting = [row["id"] for row in approver.get("inbox/")["results"]]
        say(f"waits in the approver's inbox: {request in waiting}")
        approved = approver.post(
            f"purchase-requests/{request}/approve/",
            {"comment": "Fine."},
            key=f"approve-{cart}",
            version=version,
        )
        version = approved["version"]
        say(f"approved: {approved['status']}")
    ordered = buyer.post(
        f"purchase-requests/{request}/order/",
        {"number": f"SO-{request}"},
        key=f"order-{cart}",
        version=version,
    )
    say(f"ordered as {ordered['order_number']}: {ordered['status']}")


def say(sentence: str) -> None:
    print(sentence)  # noqa: T201


def place(text: str) -> tuple[int, int]:
    contact, _at, company = text.partition("@")
    return int(contact), int(company)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("client_id")
    parser.add_argument("secret")
    parser.add_argument("--buyer", type=place, required=True, metavar="CONTACT@COMPANY")
    parser.add_argument(
        "--approver", type=place, required=True, metavar="CONTACT@COMPANY"
    )
    parser.add_argument("--amount", default="7500.00")
    parser.add_argument("--currency", default="USD")
    options = parser.parse_args()
    api = Konzern(options.address, options.client_id, options.secret)
    check_out(
        api.as_person(*options.buyer),
        api.as_person(*options.approver),
        f"cart-{uuid.uuid4().hex[:8]}",
        options.amount,
        options.currency,
    )


if __name__ == "__main__":
    main()

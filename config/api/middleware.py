"""Machines never get a page: what fails outside of a view is a problem as well."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from .errors import problem, refusal

PREFIXES = ("/api/", "/oauth/")
CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    500: "server_error",
}
DETAILS = {
    400: "The request is malformed.",
    403: "You may not do this.",
    404: "Not found.",
    405: "The method is not allowed here.",
    413: "The body is too large.",
    500: "Something went wrong on our side. It has been logged.",
}


class ProblemMiddleware:
    """Under /api/ and /oauth/, pages of errors become problem documents.

    Whoever made them: the URL resolver, a refused host, a crash, Django's debug pages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if (
            response.status_code >= 400
            and request.path_info.startswith(PREFIXES)
            and response.get("Content-Type", "text/html").startswith("text/")
        ):
            status = response.status_code if response.status_code in CODES else 400
            page, response = response, problem(status, CODES[status], DETAILS[status])
            if "Allow" in page:
                response["Allow"] = page["Allow"]
        return response

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponse | None:
        """Refusals by the database in views that are not DRF's, such as the token's."""
        if request.path_info.startswith(PREFIXES):
            return refusal(exception)
        return None


def not_found(request: HttpRequest, path: str = "") -> HttpResponse:
    """The last URL under /api/ and /oauth/; also keeps a POST from being redirected."""
    return problem(404, CODES[404], DETAILS[404])

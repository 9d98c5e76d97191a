"""Content security policies: one for pages, one for what machines are answered."""

from django.http import HttpRequest, HttpResponse
from django.middleware.csp import ContentSecurityPolicyMiddleware
from django.utils.csp import CSP

from .api.middleware import PREFIXES

# An answer to a machine is no page: where somebody shows it as one, it does nothing.
OF_API = {"default-src": [CSP.NONE], "frame-ancestors": [CSP.NONE]}


class PolicyMiddleware(ContentSecurityPolicyMiddleware):
    """`SECURE_CSP` for pages, `OF_API` under /api/ and /oauth/.

    A view says otherwise with `csp_override`.
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponse
    ) -> HttpResponse:
        if request.path_info.startswith(PREFIXES) and not hasattr(
            response, "_csp_config"
        ):
            response._csp_config = OF_API
        return super().process_response(request, response)

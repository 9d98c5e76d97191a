"""Settings for every environment; deployments differ only in environment variables.

https://docs.djangoproject.com/en/6.1/ref/settings/
"""

import os
from pathlib import Path

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.csp import CSP
from django.utils.translation import gettext_lazy as _

from config.env import env, env_bool, env_database, env_int, env_list

BASE_DIR = Path(__file__).resolve().parent.parent

# Without a secret key this is somebody's own machine; the WSGI entry point says no.
DEBUG = env_bool("DJANGO_DEBUG", default="DJANGO_SECRET_KEY" not in os.environ)
SECRET_KEY = env("DJANGO_SECRET_KEY", "insecure-development-key" if DEBUG else None)
ALLOWED_HOSTS = env_list("DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1" if DEBUG else "")

INSTALLED_APPS = [
    "integrations",
    "companies",
    "groups",
    "approvals",
    "unfold.apps.BasicAppConfig",  # the site is ours: config.admin.site
    "unfold.contrib.filters",
    "mptt",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "oauth2_provider",
    "rest_framework",
    "simple_history",
    "config.apps.KonzernAdminConfig",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "config.request_id.RequestIdMiddleware",
    "config.csp.PolicyMiddleware",
    "config.api.middleware.ProblemMiddleware",
    "config.busy.BusyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "config.sessions.SessionEndMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
LOGIN_REDIRECT_URL = "/admin/"
# A wrong path under /api/ gets a problem document, not a redirect that loses the body.
APPEND_SLASH = True

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": env_database(
        "DATABASE_URL",
        default=BASE_DIR / "konzern.sqlite3",
        pool_size=env_int("DATABASE_POOL_SIZE", default=8),
        timeouts={
            "lock_timeout": env_int("DATABASE_LOCK_TIMEOUT", default=3),
            # That of commands; the WSGI entry point has a shorter one.
            "statement_timeout": env_int("DATABASE_STATEMENT_TIMEOUT", default=60),
            "idle_in_transaction_session_timeout": env_int(
                "DATABASE_IDLE_TIMEOUT", default=10
            ),
        },
        prepare=env_bool("DATABASE_PREPARE", default=True),
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

HTTPS = env_bool("DJANGO_HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS

# How staff log in, and for how long. 0: no limit.
SECOND_FACTOR_REQUIRED = env_bool("SECOND_FACTOR_REQUIRED", default=not DEBUG)
OTP_TOTP_ISSUER = "Konzern"
WRONG_PASSWORDS = env_int("WRONG_PASSWORDS", default=5)  # then 15 minutes of 429
SESSION_IDLE_MINUTES = env_int("SESSION_IDLE_MINUTES", default=30)
SESSION_HOURS = env_int("SESSION_HOURS", default=12)
SESSION_COOKIE_AGE = (SESSION_HOURS or 14 * 24) * 3600
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"

# Nothing is loaded from elsewhere, nobody else frames our pages. Alpine, in which the
# console's look is written, evaluates expressions; and it sets styles of elements.
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF],
    "style-src-attr": [CSP.UNSAFE_INLINE],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.SELF],  # forms that open in a window of another one
}

USE_TZ = True
TIME_ZONE = env("TIME_ZONE", "UTC")
LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "konzern_language"
LANGUAGE_COOKIE_AGE = 365 * 24 * 60 * 60
LANGUAGE_COOKIE_HTTPONLY, LANGUAGE_COOKIE_SAMESITE = True, "Lax"
LANGUAGE_COOKIE_SECURE = HTTPS
FORMAT_MODULE_PATH = ["config.formats"]

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Without `collectstatic` (tests, development) files are found where they are.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_ROOT.is_dir()

# Development without a mail server prints mails: `process_approvals` shows them.
MAIL_TO_CONSOLE = DEBUG and "EMAIL_HOST" not in os.environ
MAILERS = {
    "default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
    if MAIL_TO_CONSOLE
    else {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env("EMAIL_HOST", "localhost"),
            "port": env_int("EMAIL_PORT", default=0) or None,
            "username": env("EMAIL_USER", ""),
            "password": env("EMAIL_PASSWORD", ""),
            "use_tls": env_bool("EMAIL_USE_TLS", default=False),
            "use_ssl": env_bool("EMAIL_USE_SSL", default=False),
            "timeout": env_int("EMAIL_TIMEOUT", default=5),
        },
    }
}
DEFAULT_FROM_EMAIL = env("EMAIL_FROM", "Konzern <konzern@localhost>")

# Konzern's own caps. Real hierarchies are 17 levels deep.
COMPANY_MAX_DEPTH = env_int("COMPANY_MAX_DEPTH", default=32)
COMPANY_LARGE_HIERARCHY = env_int("COMPANY_LARGE_HIERARCHY", default=10_000)
COMPANY_UNMERGE_DAYS = env_int("COMPANY_UNMERGE_DAYS", default=30)
PURCHASE_PENDING_DAYS = env_int("PURCHASE_PENDING_DAYS", default=14)
PURCHASE_APPROVED_DAYS = env_int("PURCHASE_APPROVED_DAYS", default=30)
PURCHASE_REMIND_DAYS = env_int("PURCHASE_REMIND_DAYS", default=3)  # 0: never
PURCHASE_ESCALATE_DAYS = env_int("PURCHASE_ESCALATE_DAYS", default=7)  # 0: never
# Of files that come by the API or the console; commands have no such caps.
IMPORT_MAX_BYTES = env_int("IMPORT_MAX_BYTES", default=100 * 2**20)
IMPORT_MAX_RECORDS = env_int("IMPORT_MAX_RECORDS", default=200_000)
IMPORT_MAX_UNPACKED_BYTES = env_int("IMPORT_MAX_UNPACKED_BYTES", default=500 * 2**20)
IMPORT_MAX_RATIO = env_int("IMPORT_MAX_RATIO", default=100)  # unpacked to packed
IMPORT_MAX_SECONDS = env_int("IMPORT_MAX_SECONDS", default=15 * 60)
# Larger files wait for `run_worker`; smaller ones are done in the call itself.
IMPORT_AT_ONCE_BYTES = env_int("IMPORT_AT_ONCE_BYTES", default=256 * 2**10)
IMPORT_KEEP_DAYS = env_int("IMPORT_KEEP_DAYS", default=30)  # files and results
# Calls of one API client in a minute, if its own page says nothing else; 0: no limit.
CALLS_PER_MINUTE = env_int("CALLS_PER_MINUTE", default=600)
ACTING_CALLS_PER_MINUTE = env_int("ACTING_CALLS_PER_MINUTE", default=12_000)
SUBMITS_PER_MINUTE = env_int("SUBMITS_PER_MINUTE", default=60)  # of one person
# Of one client from one address, so that a stranger locks nobody out.
TOKEN_CALLS_PER_MINUTE = env_int("TOKEN_CALLS_PER_MINUTE", default=10)
WRONG_SECRETS = env_int("WRONG_SECRETS", default=5)  # then 15 minutes of 429
# How many proxies stand in front: the caller's address is what the first of them saw.
PROXIES = env_int("PROXIES", default=0)
EVENT_KEEP_DAYS = env_int("EVENT_KEEP_DAYS", default=30)  # with their deliveries
# Also to http:// and to private networks: for development, never in production.
WEBHOOK_ALLOW_PRIVATE = env_bool("WEBHOOK_ALLOW_PRIVATE", default=False)
# Who is told that an endpoint is paused; "": only the log and the console.
WEBHOOK_NOTICE_EMAIL = env("WEBHOOK_NOTICE_EMAIL", "")
# Else `process_approvals` alone sends them, and no call waits for the mail server.
NOTICES_AT_ONCE = env_bool("NOTICES_AT_ONCE", default=not MAIL_TO_CONSOLE)
# Where the shop shows a request: "https://shop.example/approvals/{id}"; "": no links.
SHOP_REQUEST_URL = env("SHOP_REQUEST_URL", "")

OAUTH2_PROVIDER_APPLICATION_MODEL = "integrations.ApiClient"
OAUTH2_PROVIDER = {
    "SCOPES": {
        "companies:read": _("Read companies, locations and links"),
        "companies:write": _("Change companies, locations and links"),
        "companies:move": _("Move companies in their hierarchy and out of it"),
        "contacts:read": _("Read contacts and their assignments"),
        "contacts:write": _("Change contacts and their assignments"),
        "groups:read": _("Read customer groups and pricing contexts"),
        "groups:write": _("Change customer groups"),
        "limits:read": _("Read purchase limits and approval groups"),
        "limits:write": _("Change purchase limits and approval groups"),
        "purchases:read": _("Check purchases and read purchase requests"),
        "purchases:write": _("Submit and withdraw purchase requests"),
        "imports:write": _("Import files; what they hold needs its own scopes, too"),
        "approvals:decide": _("Approve and decline purchase requests for a contact"),
        "events:read": _("Read the events of all changes"),
        "webhooks:write": _("Have events sent to webhook endpoints"),
        "act": _("Act for people in the shop, with their rights only"),
    },
    "SCOPES_BACKEND_CLASS": "integrations.scopes.AllowedScopes",
    "OAUTH2_VALIDATOR_CLASS": "integrations.api.oauth.ClientValidator",
    "CLIENT_SECRET_HASHER": "random_secret",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 15 * 60,
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https"],
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "COMPLIANT_BCP_RFC9700_IMPLICIT_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PASSWORD_GRANT": True,
    "COMPLIANT_BCP_RFC9700_PKCE_METHOD": True,
    "COMPLIANT_BCP_RFC9700_ACCESS_TOKEN_TRANSPORT": True,
    "COMPLIANT_BCP_RFC9700_AUTHZ_RESPONSE_ISS": True,
    "COMPLIANT_BCP_RFC9700_TOKEN_STORAGE": True,
}
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "integrations.hashers.RandomSecretHasher",  # secrets of API clients only
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "integrations.api.authentication.BearerAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["integrations.api.permissions.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["config.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["config.api.renderers.RowRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["config.api.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "config.api.schema.KonzernSchema",
    "EXCEPTION_HANDLER": "config.api.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,  # ?format= is an unknown parameter like any other
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": None,
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Konzern",
    "DESCRIPTION": "Business customers of a seller: companies, people, groups, limits.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "OAUTH2_FLOWS": ["clientCredentials"],
    "OAUTH2_TOKEN_URL": "/oauth/token/",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "integrations.api.schema.describe_webhooks",
        "config.api.operations.describe_operations",
        "config.api.schema.use_any_of",
    ],
    "ENUM_NAME_OVERRIDES": {
        "AssignmentTypeEnum": "companies.models.ContactAssignment.Type",
        "CompanyStatusEnum": "companies.models.Company.Status",
        "CompanyTypeEnum": ["COMPANY", "SUBSIDIARY"],
        "GroupKindEnum": "groups.models.CustomerGroup.Kind",
        "GroupPropagationEnum": "groups.models.GroupPropagation.Mode",
        "ImportStateEnum": "companies.models.Import.State",
        "LinkKindEnum": "companies.models.CompanyLink.Kind",
        "LocationTypeEnum": "companies.models.Location.Type",
        "PurchaseKindEnum": "approvals.models.PurchaseRequest.Kind",
        "RequestStatusEnum": "approvals.models.PurchaseRequest.Status",
        "EventTypeEnum": "integrations.event_types.TYPE_CHOICES",
        "WebhookStatusEnum": "integrations.models.WebhookEndpoint.Status",
        "DeliveryStatusEnum": "integrations.models.WebhookDelivery.Status",
        "RoleEnum": "companies.models.assignment.Role",
    },
}

UNFOLD = {
    "SITE_TITLE": "Konzern",
    "SITE_HEADER": "Konzern",
    "SITE_SUBHEADER": _("Business customers"),
    "SITE_SYMBOL": "account_tree",
    "SITE_URL": None,
    "SHOW_LANGUAGES": True,
    "SHOW_HISTORY": False,  # each page has a tab of its own, with before and after
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("konzern/icon.svg"),
        }
    ],
    "STYLES": [
        lambda request: static("konzern/colors.css"),
        lambda request: static("konzern/admin.css"),
    ],
    "SCRIPTS": [
        lambda request: static("konzern/search.js"),
        lambda request: static("konzern/tabs.js"),
        lambda request: static("konzern/reachable.js"),
    ],
    "SIDEBAR": {"navigation": "config.admin.navigation.sidebar"},
    "ACCOUNT": {
        "navigation": [
            {"title": _("Second factor"), "link": reverse_lazy("admin:second_factor")},
            {"title": _("Password"), "link": reverse_lazy("admin:password_change")},
        ]
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", "WARNING")},
}

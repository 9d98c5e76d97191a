import os

# Making and dropping the test database may take minutes on a busy machine.
os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT", "600")
os.environ.setdefault("DATABASE_POOL_SIZE", "24")  # races have many threads

from config.settings import *  # noqa: F403

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.MD5PasswordHasher",
    "integrations.hashers.RandomSecretHasher",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True  # nobody has collected static files
# Tests of limits set them.
CALLS_PER_MINUTE = ACTING_CALLS_PER_MINUTE = SUBMITS_PER_MINUTE = 0
TOKEN_CALLS_PER_MINUTE = WRONG_SECRETS = WRONG_PASSWORDS = 0

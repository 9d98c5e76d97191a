"""How the secrets of API clients are stored."""

from typing import Any

from django.contrib.auth.hashers import BasePasswordHasher, mask_hash
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext_noop as _


class RandomSecretHasher(BasePasswordHasher):
    """One fast keyed hash, good only for secrets of 256 random bits or more.

    Slow hashes protect what people invent: nobody can try all values of what a machine
    drew. They would cost a third of a second of CPU per token. The key comes from
    SECRET_KEY, so that a stolen table alone cannot even be compared with.
    """

    algorithm = "random_secret"

    def encode(self, password: str, salt: str) -> str:
        self._check_encode_args(password, salt)
        digest = salted_hmac(
            f"integrations.hashers:{salt}", password, algorithm="sha256"
        )
        return f"{self.algorithm}${salt}${digest.hexdigest()}"

    def decode(self, encoded: str) -> dict[str, Any]:
        algorithm, salt, digest = encoded.split("$", 2)
        return {"algorithm": algorithm, "salt": salt, "hash": digest}

    def verify(self, password: str, encoded: str) -> bool:
        return constant_time_compare(
            encoded, self.encode(password, self.decode(encoded)["salt"])
        )

    def safe_summary(self, encoded: str) -> dict[str, str]:
        decoded = self.decode(encoded)
        return {
            _("algorithm"): decoded["algorithm"],
            _("salt"): mask_hash(decoded["salt"]),
            _("hash"): mask_hash(decoded["hash"]),
        }

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Nothing to harden: there are no rounds."""

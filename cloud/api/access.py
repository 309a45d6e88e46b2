"""Who may change something: whoever can show the token of this cloud.

The token is made at the first start in the data folder, readable by its owner alone, or read from a file that the
operator gives; there is no default password.
"""

import hmac
import secrets
from pathlib import Path
from typing import Annotated

from fastapi import Depends, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from cloud.errors import CloudError
from cloud.registry.keys import write_secret
from cloud.tier import CloudTier
from shared.credentials import read_secret

TOKEN_NAME = "api-token"  # noqa: S105  (the name of the file)
_TOKEN_BYTES = 32


def token_path(folder: Path, given: Path | None = None) -> Path:
    """Where the token lies: in the file `given`, else in the data folder."""
    return given or folder / TOKEN_NAME


def ensure_token(folder: Path, given: Path | None = None) -> str:
    """The token in the file `given`, else that of the data folder, made at the first call (mode 0600).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     token = ensure_token(Path(folder))
    ...     len(token) >= 43, token == ensure_token(Path(folder))
    (True, True)
    """
    if given is not None:
        return read_secret(given, "TOCSIN_CLOUD_API_TOKEN_FILE", shortest=_TOKEN_BYTES)
    path = token_path(folder)
    try:
        if not path.exists():
            write_secret(path, secrets.token_urlsafe(_TOKEN_BYTES).encode() + b"\n")
        token = path.read_text().strip()
    except OSError as error:
        raise CloudError(f"The access token {path} cannot be used ({error.strerror}).") from error
    if len(token) < _TOKEN_BYTES:
        raise CloudError(f"The access token {path} is too short to be safe: remove the file and start again.")
    return token


def tier_of(request: Request) -> CloudTier:
    """The running cloud behind a request."""
    tier = request.app.state.tier
    assert isinstance(tier, CloudTier)
    return tier


Tier = Annotated[CloudTier, Depends(tier_of)]
_bearer = HTTPBearer(
    auto_error=False,
    description="The token in TOCSIN_CLOUD_API_TOKEN_FILE, or in the file 'api-token' of the cloud's data folder.",
)


def require_token(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> None:
    """Refuse a request that does not carry the token."""
    shown = "" if credentials is None else credentials.credentials
    if not hmac.compare_digest(shown.encode(), request.app.state.token.encode()):
        raise HTTPException(
            401,
            "This needs the header 'Authorization: Bearer TOKEN', with the token in TOCSIN_CLOUD_API_TOKEN_FILE, or in "
            "the file api-token of the cloud's data folder.",
            {"WWW-Authenticate": "Bearer"},
        )

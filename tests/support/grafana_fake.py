"""Grafana's HTTP interface as far as `tocsin grafana apply` may use it, after Grafana's documentation, and strict.

A real HTTP server on 127.0.0.1 that keeps folders, data sources, dashboards and their versions. It answers with the
documented statuses: 400 for a body without what is required, 401 for a token that it does not know, 403 for a role that
may not, 404, 409 and 412 for conflicts. What the documentation does not know is put into `complaints` and answered
with 501, so that no test passes by it.

    with FakeGrafana() as grafana:
        ...
    assert not grafana.complaints
"""

import json
import re
import threading
from collections.abc import Callable
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Answer = tuple[int, Any]
#: The least basic role for each permission that is asked for here.
_ROLES = {"Viewer": 0, "Editor": 1, "Admin": 2}
_PERMISSIONS = {
    "folders:read": "Viewer",
    "folders:create": "Editor",
    "dashboards:read": "Viewer",
    "dashboards:write": "Editor",
    "datasources:read": "Admin",
    "datasources:create": "Admin",
    "datasources:write": "Admin",
    "datasources:query": "Viewer",
}
_DATASOURCE_FIELDS = {
    "id", "uid", "orgId", "name", "type", "typeLogoUrl", "access", "url", "password", "user", "database", "basicAuth",
    "basicAuthUser", "withCredentials", "isDefault", "jsonData", "secureJsonData", "version", "readOnly", "apiVersion",
}  # fmt: skip


class Refusal(Exception):  # noqa: N818
    """An answer that ends the handling of a request."""

    def __init__(self, code: int, message: str, /, **more: Any) -> None:
        super().__init__(message)
        self.answer: Answer = (code, {"message": message, **more})


class FakeGrafana:
    """One Grafana.

    Parameters
    ----------
    version
        What it says of itself; None hides it from those who are not signed in.
    below
        The path below which it is served, such as ``/grafana``.
    """

    def __init__(self, *, version: str | None = "12.2.1", below: str = "") -> None:
        self.version = version
        self.below = below
        #: Token -> role.
        self.tokens = {"glsa_admin": "Admin", "glsa_editor": "Editor", "glsa_viewer": "Viewer"}
        self.folders: dict[str, dict[str, Any]] = {}
        self.datasources: dict[str, dict[str, Any]] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.dashboards: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.complaints: list[str] = []
        #: What the test of a data source says; None for success.
        self.trouble: str | None = None
        #: Called with method and path before a request is handled: for what others do at that moment.
        self.meanwhile: Callable[[str, str], None] = lambda method, path: None
        #: What it makes of a dashboard that it shows: a later version has a form of its own.
        self.shown: Callable[[dict[str, Any]], dict[str, Any]] = lambda dashboard: dashboard
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            """Hands every request to the fake."""

            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or every answer waits for an acknowledgement

            def _any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                status, answer = fake._handle(self.command, self.path, self.rfile.read(length), self.headers)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json; charset=UTF-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815  (names of the library)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._server.server_port}{self.below}"

    @property
    def changes(self) -> list[str]:
        """Requests that were to change something."""
        return [request for request in self.requests if not request.startswith("GET ")]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, method: str, path: str, body: bytes, headers: Any) -> Answer:
        path, _, query = path.partition("?")
        with self._lock:
            self.requests.append(f"{method} {path}")
            self.meanwhile(method, path)
            try:
                if not path.startswith(f"{self.below}/api/"):
                    return self._unknown(f"{method} {path}")
                path = path.removeprefix(f"{self.below}/api")
                if (method, path) == ("GET", "/health"):
                    return 200, {"commit": "f00", "database": "ok"} | (
                        {"version": self.version} if self.version else {}
                    )
                role = self._signed_in(headers.get("Authorization", ""))
                return self._route(method, path, query, self._decoded(method, body, headers), role)
            except Refusal as refusal:
                return refusal.answer

    def _signed_in(self, authorization: str) -> str:
        kind, _, token = authorization.partition(" ")
        if kind != "Bearer" or token not in self.tokens:
            raise Refusal(401, "Invalid API key", messageId="api-key.invalid", statusCode=401)
        return self.tokens[token]

    def _decoded(self, method: str, body: bytes, headers: Any) -> dict[str, Any]:
        if method == "GET":
            if body:
                self.complaints.append("a GET has a body")
            return {}
        if not headers.get("Content-Type", "").startswith("application/json"):
            raise Refusal(400, "bad request data")
        try:
            decoded = json.loads(body)
        except ValueError as error:
            raise Refusal(400, "bad request data") from error
        if not isinstance(decoded, dict):
            raise Refusal(400, "bad request data")
        return decoded

    def _route(self, method: str, path: str, query: str, body: dict[str, Any], role: str) -> Answer:
        routes: list[tuple[str, str, str | None, Callable[..., Answer]]] = [
            ("GET", "/frontend/settings", None, self._settings),
            ("GET", "/folders/([^/]+)", "folders:read", self._get_folder),
            ("POST", "/folders", "folders:create", lambda: self._create_folder(body)),
            ("GET", "/datasources/uid/([^/]+)", "datasources:read", self._get_datasource),
            ("POST", "/datasources", "datasources:create", lambda: self._create_datasource(body)),
            ("PUT", "/datasources/uid/([^/]+)", "datasources:write", lambda uid: self._update_datasource(uid, body)),
            ("GET", "/datasources/uid/([^/]+)/health", "datasources:query", self._test_datasource),
            ("GET", "/dashboards/uid/([^/]+)", "dashboards:read", self._get_dashboard),
            ("POST", "/dashboards/db", "dashboards:write", lambda: self._save_dashboard(body)),
            ("GET", "/dashboards/uid/([^/]+)/versions", "dashboards:write", lambda uid: self._history(uid, query)),
        ]
        for verb, pattern, permission, handle in routes:
            match = re.fullmatch(pattern, path)
            if match and verb == method:
                if permission and _ROLES[role] < _ROLES[_PERMISSIONS[permission]]:
                    told = (
                        f"You'll need additional permissions to perform this action. Permissions needed: {permission}"
                    )
                    raise Refusal(403, told, title="Access denied", accessErrorId="ACE1")
                return handle(*match.groups())
        return self._unknown(f"{method} {path}")

    def _unknown(self, request: str) -> Answer:
        self.complaints.append(f"the documentation does not know {request}")
        return 501, {"message": "not in the documentation"}

    def _settings(self) -> Answer:
        return 200, {"buildInfo": {"version": self.version or "12.2.1", "commit": "f00"}, "datasources": {}}

    def _get_folder(self, uid: str) -> Answer:
        if uid not in self.folders:
            raise Refusal(404, "folder not found", status="not-found")
        return 200, self.folders[uid]

    def _create_folder(self, body: dict[str, Any]) -> Answer:
        self._only(body, {"uid", "title", "parentUid"}, {"title"})
        uid = body.get("uid") or f"generated-{len(self.folders)}"
        if uid in self.folders or any(folder["title"] == body["title"] for folder in self.folders.values()):
            raise Refusal(409, "a folder with the same name or uid already exists in the current location")
        self.folders[uid] = {"id": len(self.folders) + 1, "uid": uid, "title": body["title"], "version": 1}
        return 200, self.folders[uid]

    def _get_datasource(self, uid: str) -> Answer:
        if uid not in self.datasources:
            raise Refusal(404, "Data source not found")
        return 200, self.datasources[uid]

    def _create_datasource(self, body: dict[str, Any]) -> Answer:
        self._only(body, _DATASOURCE_FIELDS, {"name", "type", "access"})
        if any(known["name"] == body["name"] for known in self.datasources.values()):
            raise Refusal(409, "data source with the same name already exists")
        if body["uid"] in self.datasources:
            raise Refusal(409, "data source with the same uid already exists")
        return 200, {"message": "Datasource added", **self._keep(body["uid"], body, 1)}

    def _update_datasource(self, uid: str, body: dict[str, Any]) -> Answer:
        self._only(body, _DATASOURCE_FIELDS, {"name", "type", "access"})
        known = self.datasources.get(uid)
        if known is None:
            raise Refusal(404, "Data source not found")
        if known["readOnly"]:
            raise Refusal(403, "Cannot update read-only data source")
        if any(other["name"] == body["name"] for key, other in self.datasources.items() if key != uid):
            raise Refusal(409, "data source with the same name already exists")
        if body.get("version", known["version"]) != known["version"]:
            raise Refusal(409, "Datasource has already been updated by someone else. Please reload and try again")
        return 200, {"message": "Datasource updated", **self._keep(uid, body, known["version"] + 1)}

    def _keep(self, uid: str, body: dict[str, Any], version: int) -> dict[str, Any]:
        secrets = self.secrets.setdefault(uid, {})
        secrets.update(body.get("secureJsonData") or {})
        defaults = {"isDefault": False, "basicAuth": False, "url": "", "jsonData": {}, "orgId": 1, "readOnly": False}
        kept = {**defaults, **deepcopy(body), "id": 1, "uid": uid, "version": version}
        kept.pop("secureJsonData", None)
        kept["secureJsonFields"] = dict.fromkeys(secrets, True)
        self.datasources[uid] = kept
        return {"datasource": kept, "id": 1, "name": body["name"]}

    def _test_datasource(self, uid: str) -> Answer:
        self._get_datasource(uid)
        if self.trouble is None:
            return 200, {"status": "OK", "message": "datasource is working. 3 buckets found"}
        return 400, {"status": "ERROR", "message": self.trouble}

    def _get_dashboard(self, uid: str) -> Answer:
        if uid not in self.dashboards:
            raise Refusal(404, "Dashboard not found")
        known = deepcopy(self.dashboards[uid])
        return 200, {"dashboard": self.shown(known["dashboard"]), "meta": known["meta"]}

    def _save_dashboard(self, body: dict[str, Any]) -> Answer:
        self._only(body, {"dashboard", "folderUid", "message", "overwrite"}, {"dashboard"})
        dashboard = deepcopy(body["dashboard"])
        if not dashboard.get("title"):
            raise Refusal(400, "Dashboard title cannot be empty")
        if len(dashboard["uid"]) > 40 or not re.fullmatch(r"[a-zA-Z0-9\-_]+", dashboard["uid"]):
            raise Refusal(400, "uid contains illegal characters or is too long")
        folder = body.get("folderUid", "")
        if folder and folder not in self.folders:
            raise Refusal(404, "folder not found")
        uid = dashboard["uid"]
        known = self.dashboards.get(uid)
        others = (other for key, other in self.dashboards.items() if key != uid)
        if any((o["dashboard"]["title"], o["meta"]["folderUid"]) == (dashboard["title"], folder) for o in others):
            raise Refusal(412, "A dashboard with the same name in the folder already exists", status="name-exists")
        version = 0
        if known is not None:
            version = known["dashboard"]["version"]
            if known["meta"]["provisioned"]:
                raise Refusal(400, "Cannot save provisioned dashboard")
            if not body.get("overwrite") and dashboard.get("version") != version:
                told = "The dashboard has been changed by someone else"
                raise Refusal(412, told, status="version-mismatch")
        dashboard.update(id=1 if known is None else known["dashboard"]["id"], version=version + 1)
        meta = {"folderUid": folder, "provisioned": False, "url": f"/d/{uid}/slug", "slug": "slug"}
        self.dashboards[uid] = {"dashboard": dashboard, "meta": meta}
        entry = {"version": version + 1, "message": body.get("message", ""), "uid": uid, "createdBy": "sa-tocsin"}
        self.versions.setdefault(uid, []).insert(0, entry)
        return 200, {
            "id": 1,
            "uid": uid,
            "url": meta["url"],
            "status": "success",
            "version": version + 1,
            "slug": "slug",
        }

    def _history(self, uid: str, query: str) -> Answer:
        if uid not in self.versions:
            raise Refusal(404, "Dashboard version not found")
        limit = re.fullmatch(r"limit=(\d+)", query)
        return 200, self.versions[uid][: int(limit[1]) if limit else None]

    def _only(self, body: dict[str, Any], known: set[str], required: set[str]) -> None:
        if unknown := set(body) - known:
            self.complaints.append(f"the documentation does not know the fields {sorted(unknown)}")
        if missing := [name for name in sorted(required) if not body.get(name)]:
            raise Refusal(400, f"bad request data: {missing[0]} is missing")

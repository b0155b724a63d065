"""What the pages of a review show, and who may see them: settings, templates, sessions and log-in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, RedirectResponse, Response

from medq_deg.data.schema import LETTERS
from medq_deg.reporting import html as report_html
from medq_deg.reporting import text
from medq_deg.review.auth import SESSION_SECONDS, Auth, Limiter, Session
from medq_deg.review.images import Images
from medq_deg.review.store import Held, Place, Store
from medq_deg.review.terms import DELETE, KEEP, MOST_COMMENT, REASONS, WORKFLOW
from medq_deg.taxonomy import SEVERITY_NAMES

_FOLDER: Final = Path(__file__).parent
_SCRIPTS: Final = ("htmx-2.0.11.min.js", "connection.js", "viewer.js", "keys.js")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
SEE_OTHER: Final = 303
STAY: Final = {"HX-Reswap": "none"}
"""Leave the question as it is, and take over only the parts of the answer that say where they belong."""


@dataclass(frozen=True)
class Settings:
    """How the page is reached.

    Attributes
    ----------
    public_url : str
        Address that browsers use where a proxy stands before the server, such as "https://host/review"; "" without one.
    local : bool
        Whether whoever asks from this computer is let in without a token, while nobody is invited.
    hosts : tuple of str, optional
        Names that requests may be for; without it those of this computer, or the one of `public_url`.
    """

    public_url: str = ""
    local: bool = True
    hosts: tuple[str, ...] | None = _LOOPBACK

    @property
    def base(self) -> str:
        """Path before every path of the page."""
        return urlsplit(self.public_url).path.rstrip("/")

    @property
    def secure(self) -> bool:
        """Whether browsers come over TLS."""
        return urlsplit(self.public_url).scheme == "https"


class StatusError(Exception):
    """An answer that is not the wanted page: its status, and a sentence for the reader."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


class Pages:
    """Fills templates and answers requests.

    Parameters
    ----------
    store : Store
    auth : Auth
    settings : Settings
    """

    def __init__(self, store: Store, auth: Auth, settings: Settings) -> None:
        self.store = store
        self.auth = auth
        self.settings = settings
        # Browsers keep cookies by host, whatever the port: each review has a name of its own.
        name = hashlib.sha256(f"{store.catalogue.fingerprint} {store.database.meta('created')}".encode()).hexdigest()[
            :8
        ]
        self.cookie, self.entry_cookie = f"medq_review_{name}", f"medq_entry_{name}"
        self.images = Images(store.catalogue.rows)
        self.limiter = Limiter()
        self.files = _static_files()
        self.templates = Environment(
            loader=FileSystemLoader(_FOLDER / "templates"),
            autoescape=True,
            finalize=text.finalize,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.templates.filters["words"] = text.words
        self.templates.globals.update(
            reasons=REASONS,
            workflow=WORKFLOW,
            keep=KEEP,
            delete=DELETE,
            most_comment=MOST_COMMENT,
            severity_names=SEVERITY_NAMES,
            letters=LETTERS,
            url=self.url,
            file=self.file,
            scripts=_SCRIPTS,
            new_click=lambda: secrets.token_urlsafe(16),
            dataset=store.catalogue.name,
        )

    def url(self, *parts: object) -> str:
        """Return the address of a page, with the base path."""
        return f"{self.settings.base}/{'/'.join(map(str, parts))}"

    def file(self, name: str) -> str:
        """Return the address of a style or a script; it changes with its content."""
        return self.url("static", self.files[name][1], name)

    def page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        """Return a filled template."""
        return HTMLResponse(self.templates.get_template(template).render(**values), status)

    # Questions

    def work(self, session: Session, question: int, whole: bool, message: str = "", status: int = 200) -> Response:
        """Return the page of a question, or the part of it that changes from question to question."""
        place = self.store.place(session.reviewer, question)
        template = "question.html" if whole else "work.html"
        response = self.page(template, status, **self._of_question(session, place), message=message)
        if not whole:
            response.headers["HX-Push-Url"] = self.url("q", question)
        return response

    def _of_question(self, session: Session, place: Place) -> dict[str, Any]:
        reviewed = self.store.catalogue[place.question]
        return {
            "session": session,
            "progress": self.store.progress(session.reviewer),
            "place": place,
            "reviewed": reviewed,
            "degradations": list(reviewed.pairs),
            "version": self.store.catalogue.fingerprint[:12],
            "prefetch": self._ahead(session),
        }

    def _ahead(self, session: Session) -> list[str]:
        """Return the addresses of the images that are likely to be wanted next."""
        question = self.store.ahead(session.reviewer)
        if question is None:
            return []
        pairs = range(len(self.store.catalogue[question].pairs))
        wanted = [(0, 0), *((pair, severity) for pair in pairs for severity in (1, 2))]
        version = self.store.catalogue.fingerprint[:12]
        return [self.url("image", version, question, pair, severity) for pair, severity in wanted]

    def next(self, session: Session, whole: bool) -> Response:
        """Return the next question of a reviewer, or the page that says that there is none."""
        question = self.store.take(session.reviewer)
        if question is not None:
            if whole:
                return RedirectResponse(self.url("q", question), SEE_OTHER)
            return self.work(session, question, whole)
        template = "finished.html" if whole else "finished_work.html"
        response = self.page(template, session=session, progress=self.store.progress(session.reviewer))
        if not whole:
            response.headers["HX-Push-Url"] = self.url("")
        return response

    def message(self, sentence: str, pair: int | None = None) -> HTMLResponse:
        """Return a message for the page that is shown, about one of its degradations if it is about one."""
        response = self.page("message.html", message=sentence, pair=pair)
        response.headers.update(STAY)
        return response

    def panel(self, session: Session, place: Place, pair: int, held: Held, message: str) -> str:
        """Return the part of the page that shows one verdict, to be put in place of the one that is there."""
        return self.templates.get_template("panel.html").render(
            session=session,
            place=place,
            pair=pair,
            held=held,
            degradation=list(self.store.catalogue[place.question].pairs)[pair],
            message=message,
            swapped=True,
        )

    # Sessions

    def session(self, request: Request) -> Session:
        """Return who is asking, or raise `StatusError` 401."""
        found = self.auth.session(request.cookies.get(self.cookie, ""))
        if found is None:
            raise StatusError(401, "You are not logged in, or your session has ended.")
        return found

    def check(self, session: Session, form: Mapping[str, str]) -> None:
        """Raise `StatusError` 403 unless a form came from a page of this session."""
        if not hmac.compare_digest(form.get("csrf", "").encode(), session.csrf.encode()):
            raise StatusError(403, "This page is too old, or the form did not come from it; reload the page.")

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> Response:
        """Add a cookie that no script and no other site can use."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self.settings.base or "/",
            httponly=True,
            samesite="lax",
            secure=self.settings.secure,
        )
        return response

    def login_page(self, message: str = "", status: int = 200) -> Response:
        """Return the page that asks for a token; its form is good for one browser alone."""
        entry = secrets.token_urlsafe(32)
        response = self.page("login.html", status, message=message, entry=entry)
        return self.set_cookie(response, self.entry_cookie, entry, 3600)

    def log_in(self, request: Request, form: Mapping[str, str]) -> Response:
        """Answer a token."""
        entry = request.cookies.get(self.entry_cookie, "")
        if not entry or not hmac.compare_digest(entry.encode(), form.get("entry", "").encode()):
            return self.login_page("The page was too old. Please give your token again.", 403)
        address = request.client.host if request.client else ""
        wait = self.limiter.wait(address)
        if wait > 0:
            response = self.login_page(f"Too many wrong tokens. Please wait {int(wait // 60) + 1} minutes.", 429)
            response.headers["Retry-After"] = str(int(wait) + 1)
            return response
        found = self.auth.log_in(form.get("token", ""))
        if found is None:
            self.limiter.wrong(address)
            return self.login_page("This token is wrong, or no longer valid.", 401)
        return self._welcome(found[0])

    def _welcome(self, key: str) -> Response:
        response = self.set_cookie(RedirectResponse(self.url(""), SEE_OTHER), self.cookie, key, SESSION_SECONDS)
        response.delete_cookie(self.entry_cookie, path=self.settings.base or "/")
        return response

    def enter(self, request: Request) -> Response:
        """Answer who has no session: let the one reviewer of this computer in, or ask for a token."""
        if self.settings.local and not self.auth.invited():
            return self._welcome(self.auth.log_in_locally()[0])
        return self.login_page()


def _static_files() -> dict[str, tuple[bytes, str, str]]:
    """Return content, version and media type of each style and script, by name: nothing else can be asked for."""
    style = (report_html.TEMPLATES / "report.css").read_bytes() + (_FOLDER / "static" / "review.css").read_bytes()
    found = {"review.css": (style, "text/css; charset=utf-8")}
    for name in _SCRIPTS:
        found[name] = ((_FOLDER / "static" / name).read_bytes(), "text/javascript; charset=utf-8")
    found["icon.svg"] = ((_FOLDER / "static" / "icon.svg").read_bytes(), "image/svg+xml")
    return {name: (data, hashlib.sha256(data).hexdigest()[:12], kind) for name, (data, kind) in found.items()}

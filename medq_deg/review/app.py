"""The web application of a review: routes, forms and answers. `medq_deg.review.store` knows what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from medq_deg.errors import ImageError, MedqDegError
from medq_deg.reporting import text
from medq_deg.review.auth import Auth, Session
from medq_deg.review.pages import SEE_OTHER, STAY, Pages, Settings, StatusError
from medq_deg.review.security import App, Guard
from medq_deg.review.store import NotYoursError, Store, Verdict
from medq_deg.storable import visible


def make_app(store: Store, settings: Settings | None = None) -> App:
    """Return the page of a review as an ASGI application.

    Parameters
    ----------
    store : Store
    settings : Settings, optional
    """
    settings = settings or Settings()
    pages = Pages(store, Auth(store.database), settings)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    _add_sessions(app, pages)
    _add_views(app, pages)
    _add_clicks(app, pages)
    _add_errors(app, pages)
    return Guard(app, settings.base, settings.hosts, settings.secure)


def _add_sessions(app: FastAPI, pages: Pages) -> None:
    @app.get("/")
    def start(request: Request) -> Response:
        session = pages.auth.session(request.cookies.get(pages.cookie, ""))
        return pages.enter(request) if session is None else pages.next(session, whole=True)

    @app.get("/login")
    def login(request: Request) -> Response:
        return pages.login_page()

    @app.post("/login")
    async def log_in(request: Request) -> Response:
        form = await _form(request)
        return await run_in_threadpool(pages.log_in, request, form)

    @app.post("/logout")
    async def log_out(request: Request) -> Response:
        form = await _form(request)

        def answer() -> Response:
            pages.check(pages.session(request), form)
            pages.auth.log_out(request.cookies.get(pages.cookie, ""))
            response = RedirectResponse(pages.url("login"), SEE_OTHER)
            response.delete_cookie(pages.cookie, path=pages.settings.base or "/")
            return response

        return await run_in_threadpool(answer)


def _add_views(app: FastAPI, pages: Pages) -> None:
    store = pages.store

    @app.get("/alive")
    def alive(request: Request, question: int | None = None) -> Response:
        """Tell a page that the server is there, and keep its question from going to another."""
        session = pages.session(request)
        if question is not None:
            store.seen(session.reviewer, question)
        return Response(status_code=204)

    @app.get("/q/{question}")
    def question_page(request: Request, question: int) -> Response:
        return pages.work(pages.session(request), question, whole=not _partial(request))

    @app.get("/image/{version}/{question}/{pair}/{severity}")
    def image(request: Request, version: str, question: int, pair: int, severity: int) -> Response:
        pages.session(request)
        if not 0 <= question < len(store.catalogue):
            raise StatusError(404, "There is no such image.")
        found = store.catalogue[question].place(pair, severity)
        if found is None:
            raise StatusError(404, "There is no such image.")
        try:
            data, kind = pages.images(found)
        except ImageError as error:
            return PlainTextResponse(f"This image cannot be shown: {visible(str(error))}", 422)
        # The address holds the data's fingerprint, so what is under it never changes.
        return Response(data, media_type=kind, headers={"Cache-Control": "private, max-age=604800, immutable"})

    @app.get("/static/{version}/{name}")
    def static(version: str, name: str) -> Response:
        if name not in pages.files or pages.files[name][1] != version:
            raise StatusError(404, "There is no such file.")
        data, _, kind = pages.files[name]
        return Response(data, media_type=kind, headers={"Cache-Control": "public, max-age=31536000, immutable"})


def _add_clicks(app: FastAPI, pages: Pages) -> None:
    store = pages.store

    def posted(path: str, answer: Callable[[Request, Session, Mapping[str, str], int], Response]) -> None:
        async def route(request: Request, question: int = -1) -> Response:
            form = await _form(request)

            def checked() -> Response:
                session = pages.session(request)
                pages.check(session, form)
                return answer(request, session, form, question)

            return await run_in_threadpool(checked)

        app.post(path)(route)

    def verdict(request: Request, session: Session, form: Mapping[str, str], question: int) -> Response:
        pair = _whole(form.get("pair", ""))
        given = Verdict(
            form.get("verdict") or None,
            form.get("reason") or None,
            form.get("comment", "").replace("\r\n", "\n"),
            _level(form.get("severity_l1", "")),
            _level(form.get("severity_l2", "")),
        )
        known = [*form.get("known", "").split(" ")]
        held, agreed = store.save(session.reviewer, question, pair, given, _click(form), known)
        if agreed:
            if not _partial(request):
                return RedirectResponse(pages.url("q", question), SEE_OTHER)
            return pages.page("saved.html", pair=pair, held=held)
        told = "This was changed in another tab or an older page. Here is what is stored; your click was not."
        if not _partial(request):
            return pages.work(session, question, whole=True, message=told, status=409)
        place = store.place(session.reviewer, question)
        return HTMLResponse(pages.panel(session, place, pair, held, told), headers=STAY)

    def done(request: Request, session: Session, form: Mapping[str, str], question: int) -> Response:
        seconds = _seconds(form.get("seconds", ""))
        missing, after = store.go_on(session.reviewer, question, _click(form), seconds)
        if missing:
            names = [text.words(list(store.catalogue[question].pairs)[pair]) for pair in missing]
            told = f"Not yet: keep or delete {', '.join(names)}, with a reason for what is deleted."
            if _partial(request):
                return pages.message(told, missing[0])
            return pages.work(session, question, whole=True, message=told, status=422)
        if after is not None:
            return _to(request, session, after)
        return pages.next(session, whole=not _partial(request))

    def skip(request: Request, session: Session, form: Mapping[str, str], question: int) -> Response:
        store.skip(session.reviewer, question, _click(form))
        return pages.next(session, whole=not _partial(request))

    def undo(request: Request, session: Session, form: Mapping[str, str], question: int) -> Response:
        back = store.undo(session.reviewer, _click(form))
        if back is not None:
            return _to(request, session, back)
        if _partial(request):
            return pages.message("There is nothing to undo.")
        return pages.next(session, whole=True)

    def _to(request: Request, session: Session, question: int) -> Response:
        if _partial(request):
            return pages.work(session, question, whole=False)
        return RedirectResponse(pages.url("q", question), SEE_OTHER)

    posted("/q/{question}/verdict", verdict)
    posted("/q/{question}/done", done)
    posted("/q/{question}/skip", skip)
    posted("/undo", undo)


def _add_errors(app: FastAPI, pages: Pages) -> None:
    def told(request: Request, status: int, sentence: str) -> Response:
        if request.url.path.startswith("/image/") or request.url.path == "/alive" or _partial(request):
            return PlainTextResponse(sentence, status)
        if status == 401 and request.method == "GET":
            return RedirectResponse(pages.url(""), SEE_OTHER)
        return pages.page("problem.html", status, sentence=sentence)

    async def problem(request: Request, error: Exception) -> Response:
        if isinstance(error, StatusError):
            return told(request, error.status, error.sentence)
        if isinstance(error, NotYoursError):
            return told(request, 404, "This question was not given to you.")
        return told(request, 422, visible(str(error)))

    async def unknown(request: Request, error: Exception) -> Response:
        status = getattr(error, "status_code", 404)
        return told(request, status if status == 405 else 404, "There is no such page.")

    app.add_exception_handler(StatusError, problem)
    app.add_exception_handler(MedqDegError, problem)
    app.add_exception_handler(RequestValidationError, unknown)
    app.add_exception_handler(HTTPException, unknown)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; a token in a header stands for the field."""
    try:
        fields = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    except Exception:  # noqa: BLE001 - whatever the parser raises, the form is none
        raise StatusError(400, "This form cannot be read.") from None
    return {**fields, "csrf": request.headers.get("x-csrf-token") or fields.get("csrf", "")}


def _partial(request: Request) -> bool:
    """Whether htmx asks, for a part of the page; when it restores its history it wants a whole one."""
    return "hx-request" in request.headers and "hx-history-restore-request" not in request.headers


def _click(form: Mapping[str, str]) -> str:
    click = form.get("click", "")
    if not 8 <= len(click) <= 64 or not click.isascii() or " " in click:
        raise StatusError(422, "The form does not say which click it is; reload the page.")
    return click


def _whole(value: str) -> int:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 6 else -1


def _level(value: str) -> int | None:
    return None if value == "" else _whole(value)


def _seconds(value: str) -> float | None:
    try:
        seconds = float(value)
    except ValueError:
        return None
    return seconds if 0 <= seconds < 1e7 else None

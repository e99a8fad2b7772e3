"""OpenAPI 3.1, made from the route table and its structs; and a page for people from it."""

import base64
import hashlib

from collections.abc import Iterable
from html import escape
from typing import Any

from icu_stream import __version__
from icu_stream.access.roles import Page
from icu_stream.api import keys, problems
from icu_stream.api.problems import Kind, Problem
from icu_stream.api.table import Nothing, Route
from icu_stream.contracts import schema
from icu_stream.contracts.commands import CommandType


Json = dict[str, Any]

_ROOT = "#/components/schemas"
_BEARER = "bearer"
_LIMIT = {
    "RateLimit": "Turns that are left, and seconds until all are there again",
    "RateLimit-Policy": "Turns of a window of so many seconds",
}
_HEADERS: dict[str, Json] = {
    "If-Match": {
        "description": "Only if the ETag is still this one.",
        "schema": {"type": "string", "pattern": '^(\\*|"[!#-~]{1,64}")$'},
    },
    "Last-Event-ID": {
        "description": "The id of the last event that came.",
        "schema": {"type": "string", "pattern": "^[avsr][0-9.]{1,1000}$"},
    },
}


def document(routes: Iterable[Route]) -> Json:
    """The OpenAPI document of some routes."""
    rows = list(routes)
    types = {
        type_
        for route in rows
        for type_ in (route.where, route.query, route.body, route.answer)
        if type_ not in (None, str, Nothing)
    }
    ordered = [Problem, *sorted(types, key=str)]
    made, components = schema.described(ordered, _ROOT)
    by_type = dict(zip(ordered, made, strict=True))
    # What a path or a query says is told as parameters.
    hidden = {route.where.__name__ for route in rows}
    hidden |= {route.query.__name__ for route in rows}
    paths: dict[str, Json] = {}
    for route in rows:
        told = _operation(route, by_type, components)
        paths.setdefault(route.path, {})[route.method.lower()] = told
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "icu-stream",
            "version": __version__,
            "summary": "Vital signs and alarms of an intensive care ward.",
            "description": "Times are integer milliseconds since the epoch, UTC. Every "
            "error is a problem of RFC 9457. Secondary notification only, not a medical "
            "device.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(route.tag for route in rows)],
        "paths": paths,
        "components": {
            "schemas": {
                name: one
                for name, one in sorted(components.items())
                if name not in hidden
            },
            "securitySchemes": {
                _BEARER: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A session's token (`POST /v1/session`), or a "
                    "program's (`icu-stream users token`).",
                }
            },
        },
    }


def _operation(
    route: Route, by_type: dict[Any, Json], components: dict[str, Json]
) -> Json:
    told: Json = {
        "operationId": route.name,
        "summary": route.summary,
        "description": " ".join(part for part in (route.detail, _who(route)) if part),
        "tags": [route.tag],
        "security": [] if route.is_public else [{_BEARER: []}],
    }
    if parameters := list(_parameters(route, components)):
        told["parameters"] = parameters
    if route.body is not None:
        told["requestBody"] = {
            "required": not route.may_skip_body,
            "content": {"application/json": {"schema": by_type[route.body]}},
        }
    told["responses"] = _responses(route, by_type)
    return told


def _who(route: Route) -> str:
    if route.is_public:
        return "For everybody."
    if isinstance(route.needs, CommandType):
        return f"For whoever may `{route.needs}`."
    if isinstance(route.needs, Page):
        return f"For whoever sees `{route.needs or 'ward'}`."
    return "For whoever is signed in."


def _parameters(route: Route, components: dict[str, Json]) -> Iterable[Json]:
    for where, struct in (("path", route.where), ("query", route.query)):
        known = components.get(struct.__name__, {})
        for name, one in known.get("properties", {}).items():
            described = {key: one[key] for key in ("description",) if key in one}
            is_list = one.get("type") == "array"
            yield {
                "name": name,
                "in": where,
                "required": name in known["required"],
                **described,
                **({"style": "form", "explode": False} if is_list else {}),
                "schema": {key: one[key] for key in one if key != "description"},
            }
    if route.is_command:
        yield {
            "name": keys.HEADER,
            "in": "header",
            "required": True,
            "description": "Made anew for each command, and used again to repeat it.",
            "schema": {"type": "string", "pattern": keys.PATTERN},
        }
    for name in route.takes:
        yield {"name": name, "in": "header", "required": False, **_HEADERS[name]}


def kinds(route: Route) -> list[Kind]:
    """The problems that a route may be answered with."""
    found = [Kind.TOO_MANY, Kind.FAULT, *route.problems]
    if not route.is_public:
        found.append(Kind.NO_SESSION)
    if route.needs is not None:
        found.append(Kind.FORBIDDEN)
    if route.query is not Nothing or route.body is not None or route.is_command:
        found.append(Kind.INVALID)
    if route.where is not Nothing or "cursor" in route.query.__struct_fields__:
        found.append(Kind.UNKNOWN)
    if route.body is not None:
        found += [Kind.TOO_LONG, Kind.MEDIA, Kind.SLOW]
    return found


def _responses(route: Route, by_type: dict[Any, Json]) -> Json:
    headers = {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in _LIMIT.items()
    }
    good: Json = {"description": route.summary, "headers": headers}
    if route.answer is not None:
        content = by_type.get(route.answer, {"type": "string"})
        good["content"] = {route.media: {"schema": content}}
    answers: dict[int, Json] = {route.status: good}
    if route.method == "GET" and route.media == "application/json":
        answers[304] = {"description": "It is as If-None-Match says."}
    if route.name in {"health", "ready"}:
        answers[503] = good
    for kind in sorted(kinds(route), key=lambda kind: kind.status):
        known = answers.get(kind.status)
        title = kind.value.title
        answers[kind.status] = {
            "description": f"{known['description']}. {title}" if known else title,
            "content": {problems.MEDIA_TYPE: {"schema": by_type[Problem]}},
        }
    return {str(status): answers[status] for status in sorted(answers)}


_STYLE = """
body{margin:0 auto;max-width:60em;padding:16px;font:16px/1.5 system-ui,sans-serif;
color:#14181d;background:#fff}
code{font:14px/1.5 ui-monospace,monospace}
section{border-top:1px solid #9aa7b4;margin-top:24px}
article{margin:24px 0}
h3{margin-bottom:0}
table{border-collapse:collapse;margin:8px 0}
td,th{border:1px solid #9aa7b4;padding:4px 8px;text-align:left;vertical-align:top}
@media(prefers-color-scheme:dark){body{color:#f2f5f7;background:#0b0f14}a{color:#33d6f0}}
"""


def page(told: Json) -> tuple[str, str]:
    """The document as a page, and the Content-Security-Policy that it needs."""
    groups: dict[str, list[str]] = {}
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            article = _article(method.upper(), path, operation)
            groups.setdefault(operation["tags"][0], []).append(article)
    body = "".join(
        f"<section><h2>{escape(name)}</h2>{''.join(articles)}</section>"
        for name, articles in groups.items()
    )
    schemas = "".join(
        f'<article id="{escape(name)}"><h3>{escape(one.get("title", name))}</h3>'
        f"<p>{escape(one.get('description', ''))}</p>{_properties(one)}</article>"
        for name, one in told["components"]["schemas"].items()
    )
    info = told["info"]
    text = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])} API</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        f"<p>{escape(info['description'])}</p>"
        '<p><a href="/v1/openapi.json">openapi.json</a></p>'
        f"{body}<section><h2>Schemas</h2>{schemas}</section></body></html>"
    )
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return text, (
        f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


def _article(method: str, path: str, operation: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(one['name'])}</code></td><td>{one['in']}</td>"
        f"<td>{_type(one['schema'])}</td><td>{escape(one.get('description', ''))}</td></tr>"
        for one in operation.get("parameters", [])
    )
    body = operation.get("requestBody")
    if body is not None:
        said = _type(body["content"]["application/json"]["schema"])
        rows += f"<tr><td>body</td><td>body</td><td>{said}</td><td></td></tr>"
    answers = "".join(
        f"<tr><td>{status}</td><td>{escape(answer['description'])}</td><td>"
        + ", ".join(_type(c["schema"]) for c in answer.get("content", {}).values())
        + "</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<article><h3>{escape(operation['summary'])}</h3>"
        f"<p><code>{method} {escape(path)}</code></p>"
        f"<p>{escape(operation['description'])}</p>"
        + (f"<table>{rows}</table>" if rows else "")
        + f"<table>{answers}</table></article>"
    )


def _properties(one: Json) -> str:
    if "enum" in one:
        return f"<p>{_type(one)}</p>"
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{_type(kind)}</td>"
        f"<td>{escape(kind.get('description', ''))}</td></tr>"
        for name, kind in one.get("properties", {}).items()
    )
    return f"<table>{rows}</table>" if rows else ""


def _type(kind: Json) -> str:
    """A type in short, as HTML."""
    if "prefixItems" in kind:
        return ", ".join(_type(one) for one in kind["prefixItems"])
    if "$ref" in kind:
        name = escape(kind["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in kind:
        return " | ".join(
            f"<code>{escape(str(value))}</code>" for value in kind["enum"]
        )
    if "anyOf" in kind:
        return " or ".join(_type(one) for one in kind["anyOf"])
    if kind.get("type") == "array":
        return f"list of {_type(kind.get('items', {}))}"
    limits = [
        f"{word} {kind[name]}"
        for name, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("maxLength", "at most"),
        )
        if name in kind
    ]
    return escape(" ".join([str(kind.get("type", "any")), *limits]))

#!/usr/bin/env python3
"""Lints an OpenAPI 3.1 document, and holds answers and requests against it.

  openapi.py lint FILE              prints every problem; exit 1 when there is one
  openapi.py answers FILE < LINES   each line {"method","route","status","headers":{},"body":""}: an answer of a node
  openapi.py requests FILE < LINES  each line {"method","route","body":""}: a JSON body; prints every one that may not be sent

Only the keywords listed here are understood; another one is a problem, so that nothing passes unread.
"""
import json
import re
import sys

ANNOTATIONS = {"description", "format", "contentEncoding"}
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool}
METHODS = ("get", "post", "put", "delete", "head", "options", "patch", "trace")


def resolve(doc, node):
    while isinstance(node, dict) and "$ref" in node:
        at = doc
        for part in node["$ref"].removeprefix("#/").split("/"):
            at = at[part.replace("~1", "/").replace("~0", "~")]
        node = at
    return node


def is_type(value, kind):
    if kind in ("integer", "number"):
        whole = isinstance(value, int) or (kind == "number" and isinstance(value, float))
        return whole and not isinstance(value, bool)
    return isinstance(value, TYPES[kind])


def text_faults(schema, value):
    size = len(value.encode())
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{value!r} does not match {schema['pattern']}"
    if not schema.get("minLength", 0) <= size <= schema.get("maxLength", size):
        yield f"{size} bytes"


def object_faults(doc, schema, value, where):
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    if len(value) > schema.get("maxProperties", len(value)):
        yield f"{where}: {len(value)} members"
    for name, needs in schema.get("dependentRequired", {}).items():
        if name in value:
            yield from (f"{where}: {name} needs {other}" for other in needs if other not in value)
    for name, member in value.items():
        if "propertyNames" in schema:
            yield from faults(doc, schema["propertyNames"], name, f"{where}.{name} (its name)")
        rule = schema.get("properties", {}).get(name, schema.get("additionalProperties", True))
        if rule is False:
            yield f"{where}: {name} is not described"
        elif rule is not True:
            yield from faults(doc, rule, member, f"{where}.{name}")


def faults(doc, schema, value, where="body"):
    """What of the value is not as the schema says."""
    schema = resolve(doc, schema)
    if "type" in schema and not is_type(value, schema["type"]):
        yield f"{where}: not of type {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{where}: {value!r} instead of {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str):
        yield from (f"{where}: {fault}" for fault in text_faults(schema, value))
    if isinstance(value, (int, float)) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{where}: {value} is out of range"
    if isinstance(value, dict):
        yield from object_faults(doc, schema, value, where)
    for part in schema.get("allOf", []):
        yield from faults(doc, part, value, where)
    if "oneOf" in schema:
        fitting = sum(not list(faults(doc, part, value, where)) for part in schema["oneOf"])
        if fitting != 1:
            yield f"{where}: fits {fitting} alternatives instead of one"


KEYWORDS = ANNOTATIONS | {"$ref", "type", "const", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum",
                          "required", "maxProperties", "dependentRequired", "propertyNames", "properties",
                          "additionalProperties", "allOf", "oneOf"}


def schema_problems(schema, where):
    if not isinstance(schema, dict):
        return
    for word in schema.keys() - KEYWORDS:
        yield f"{where}: keyword {word} is not understood"
    if "type" in schema and schema["type"] not in [*TYPES, "integer", "number"]:
        yield f"{where}: type {schema['type']}"
    if "pattern" in schema and not schema["pattern"].startswith("^"):
        yield f"{where}: a pattern that is not anchored"
    for name in schema.get("required", []):
        if "properties" in schema and name not in schema["properties"]:
            yield f"{where}: requires {name}, which is not described"
    for name, inner in schema.get("properties", {}).items():
        yield from schema_problems(inner, f"{where}.{name}")
    for word in ("allOf", "oneOf"):
        for inner in schema.get(word, []):
            yield from schema_problems(inner, f"{where}/{word}")
    for word in ("propertyNames", "additionalProperties"):
        yield from schema_problems(schema.get(word), f"{where}/{word}")


def media_problems(doc, content, where):
    for kind, media in content.items():
        yield from schema_problems(media["schema"], f"{where} {kind}")
        for name, example in media.get("examples", {}).items():
            for fault in faults(doc, media["schema"], example["value"]):
                yield f"{where}: example {name}: {fault}"


def operation_problems(doc, path, operation, where):
    for key in ("operationId", "summary", "tags", "responses"):
        if key not in operation:
            yield f"{where}: no {key}"
    for tag in operation.get("tags", []):
        if tag not in [t["name"] for t in doc["tags"]]:
            yield f"{where}: tag {tag} is not declared"
    parameters = [resolve(doc, p) for p in operation.get("parameters", [])]
    in_path = {p["name"] for p in parameters if p["in"] == "path" and p["required"]}
    if in_path != set(re.findall(r"{(\w+)}", path)):
        yield f"{where}: path parameters {in_path}"
    for parameter in parameters:
        yield from schema_problems(parameter["schema"], f"{where} {parameter['name']}")
    for security in operation.get("security", doc["security"]):
        for scheme in security.keys() - doc["components"]["securitySchemes"].keys():
            yield f"{where}: security scheme {scheme} is not declared"
    yield from media_problems(doc, operation.get("requestBody", {}).get("content", {}), where)
    if not any(status.startswith("2") for status in operation["responses"]):
        yield f"{where}: no success"
    for status, response in operation["responses"].items():
        response = resolve(doc, response)
        if not re.fullmatch("[2-5][0-9]{2}", status) or not response.get("description"):
            yield f"{where} {status}: status or description"
        for name, header in response.get("headers", {}).items():
            yield from schema_problems(resolve(doc, header)["schema"], f"{where} {status} {name}")
        yield from media_problems(doc, response.get("content", {}), f"{where} {status}")


def references(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        node = node.values()
    if isinstance(node, (list, type({}.values()))):
        for inner in node:
            yield from references(inner)


def lint(doc):
    if not re.fullmatch(r"3\.1\.\d+", doc.get("openapi", "")):
        yield "openapi: not 3.1"
    for key in ("title", "version", "license"):
        if key not in doc["info"]:
            yield f"info: no {key}"
    used = set(references(doc))
    for reference in used:
        try:
            resolve(doc, {"$ref": reference})
        except (KeyError, TypeError):
            yield f"{reference} leads nowhere"
            return
    for section, parts in doc["components"].items():
        for name in parts:
            if section != "securitySchemes" and f"#/components/{section}/{name}" not in used:
                yield f"components/{section}/{name} is not used"
    for name, schema in doc["components"]["schemas"].items():
        yield from schema_problems(schema, name)
    seen = set()
    for path, item in doc["paths"].items():
        if not path.startswith("/"):
            yield f"{path}: does not begin with /"
        for method, operation in item.items():
            where = f"{method.upper()} {path}"
            if method not in METHODS:
                yield f"{where}: no method"
            if operation.get("operationId") in seen:
                yield f"{where}: operationId is not unique"
            seen.add(operation.get("operationId"))
            yield from operation_problems(doc, path, operation, where)


def answer_faults(doc, answer):
    operation = doc["paths"].get(answer["route"], {}).get(answer["method"].lower())
    if operation is None:
        yield "this path and method are not described"
        return
    if str(answer["status"]) not in operation["responses"]:
        yield f"status {answer['status']} is not described"
        return
    response = resolve(doc, operation["responses"][str(answer["status"])])
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    for name, header in response.get("headers", {}).items():
        header = resolve(doc, header)
        if name.lower() in headers:
            yield from faults(doc, header["schema"], headers[name.lower()], name)
        elif header.get("required"):
            yield f"no {name}"
    kind = headers.get("content-type", "").split(";")[0]
    media = response.get("content", {}).get(kind)
    if media is None:
        yield f"type {kind} is not described"
        return
    body = json.loads(answer["body"]) if kind == "application/json" else answer["body"]
    yield from faults(doc, media["schema"], body)


def request_faults(doc, request):
    operation = doc["paths"].get(request["route"], {}).get(request["method"].lower())
    if operation is None:
        yield "this path and method are not described"
        return
    yield from faults(doc, operation["requestBody"]["content"]["application/json"]["schema"], json.loads(request["body"]))


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        doc = json.load(file)
    problems = []
    if sys.argv[1] == "lint":
        problems = list(lint(doc))
    else:
        of_kind = request_faults if sys.argv[1] == "requests" else answer_faults
        for line in sys.stdin:
            told = json.loads(line)
            what = f"{told['method']} {told['route']} {told.get('status', '')}".rstrip()
            problems += [f"{what}: {fault}" for fault in of_kind(doc, told)]
    print("\n".join(problems), end="\n" if problems else "")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

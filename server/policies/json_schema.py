"""The schema of policy files as JSON Schema 2020-12, for editors: ``policy.schema.json`` beside this file.

``facegate policy schema`` prints it; a test compares the file with the output of this module.
"""

import json

from server.policies.schema import Policy

__all__ = ["render_schema"]


def render_schema() -> str:
    """Returns the JSON Schema, indented, with a newline at its end."""
    schema = Policy.model_json_schema(mode="validation")
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Facegate policy"
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
